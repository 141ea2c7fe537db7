import MoECore
import MoEKernels
import MoEPlatform

/// A file that has a model's experts once more, each in one piece and coded where that pays
/// (`Bundles.md` has the format). This is its table; the records stay on disk.
package struct Bundle: Hashable, Sendable {
  /// One part that each expert of a layer has.
  package struct Part: Hashable, Sendable {
    /// What it is for, as the bundle numbers it.
    package var role: UInt32
    package var formatID: UInt32
    package var rowCount: Int
    package var columnCount: Int

    package init(role: UInt32, formatID: UInt32, rowCount: Int, columnCount: Int) {
      self.role = role
      self.formatID = formatID
      self.rowCount = rowCount
      self.columnCount = columnCount
    }

    /// Nil where the format is not known, is one of codes, or such rows cannot be.
    package var shape: CodedShape? {
      guard let format = QuantFormat(bundleType: formatID), format != .qmoe, rowCount > 0,
        columnCount > 0, rowCount <= Self.extentMax, columnCount <= Self.extentMax,
        format.canHave(columnCount: columnCount)
      else { return nil }
      return CodedShape(format: format, rowCount: rowCount, columnCount: columnCount)
    }

    private static let extentMax = 1 << 28

    /// For reports; nil where the format is not known.
    package var formatName: String? { shape?.format.name }
  }

  package struct Layer: Hashable, Sendable {
    /// The block's number in the model's file.
    package var number: Int
    /// Whether these are copies in fewer bits, besides the layer's experts as they are.
    package var isLow: Bool
    package var parts: [Part]
    /// (expert)
    package var records: [BundleRecord]

    package init(
      number: Int, isLow: Bool = false, parts: [Part], records: [BundleRecord] = []
    ) {
      self.isLow = isLow
      self.number = number
      self.parts = parts
      self.records = records
    }
  }

  /// In what order the records lie in the file.
  package enum RecordOrder: UInt32, Sendable {
    case byExpert = 0
    /// Experts that a trace's tokens take together lie close to each other.
    case byCoUse = 1
  }

  package var file: StoreFile
  /// Of the model's files, in order.
  package var marks: [ModelMark]
  /// Ascending by number, copies in fewer bits behind the others.
  package var layers: [Layer]
  package var order: RecordOrder
  /// All bytes of the model's files that are in no record, ascending by file and offset; none where
  /// the bundle stands beside the model. Each tensor among them is a range of its own.
  package var ranges: [BundleRange]

  /// Records begin at multiples of this, as direct reads want.
  package static let recordAlignment = 4096
  /// What a bundle's name ends in.
  package static let suffix = ".moebundle"

  package init(
    file: StoreFile, marks: [ModelMark], layers: [Layer], order: RecordOrder = .byExpert,
    ranges: [BundleRange] = []
  ) {
    self.file = file
    self.marks = marks
    self.layers = layers
    self.order = order
    self.ranges = ranges
  }

  package func layer(_ number: Int, isLow: Bool = false) -> Layer? {
    layers.first { $0.number == number && $0.isLow == isLow }
  }

  /// Whether experts are ternary in place of the model's own, which changes answers.
  package var isTernary: Bool {
    layers.contains { layer in
      !layer.isLow && layer.parts.contains { $0.formatID == QuantFormat.ternary.ggmlType }
    }
  }

  /// Whether it has copies in fewer bits.
  package var hasLowCopies: Bool { layers.contains(where: \.isLow) }

  package var recordCount: Int { layers.reduce(0) { $0 + $1.records.count } }

  /// Refuses a model with other files than those that were packed.
  package func check(isOf files: [StoreFile]) throws(BundleError) {
    let model = files[0].path
    guard files.count == marks.count else {
      throw .otherModel(
        path: file.path, model: model, difference: "that had \(marks.count) files")
    }
    for (mark, file) in zip(marks, files) {
      let found: ModelMark
      do throws(FileError) {
        found = try ModelMark(file)
      } catch {
        throw .file(error)
      }
      guard found == mark else {
        let difference =
          found.byteCount != mark.byteCount
          ? "that had \(mark.byteCount) bytes, this has \(found.byteCount)"
          : found.startChecksum != mark.startChecksum
            ? "the headers differ" : "the weights differ"
        throw .otherModel(path: self.file.path, model: file.path, difference: difference)
      }
    }
  }
}
