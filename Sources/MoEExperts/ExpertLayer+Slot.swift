package import MoECore
import MoEKernels
package import MoEStore

/// How an expert's bytes come into a slot, and where its parts are found there.
///
/// From the model's own files each part is read into a region of its own. A record of a bundle is
/// read into one region for all: as it is, where no part is coded, and else decoded in its place,
/// part by part.
extension ExpertLayer {
  /// Where decoded parts begin.
  private static let partAlignment = RecordLayout.alignment

  /// Bytes of a slot's regions for any of the layer's experts, whichever way they lie in the file's
  /// blocks; multiples of the alignment.
  package func regionByteCounts(alignment: Int) -> [Int] {
    guard let records else {
      return parts.map { part in
        (0..<expertCount).reduce(0) {
          max($0, part.regionByteCount(ofExpert: $1, alignment: alignment))
        }
      }
    }
    return [records.reduce(0) { max($0, regionByteCount(of: $1, alignment: alignment)) }]
  }

  /// The same for one of them.
  func regionByteCounts(ofExpert expert: Int, alignment: Int) -> [Int] {
    records.map { [regionByteCount(of: $0[expert], alignment: alignment)] }
      ?? parts.map { $0.regionByteCount(ofExpert: expert, alignment: alignment) }
  }

  private func regionByteCount(of record: BundleRecord, alignment: Int) -> Int {
    let read = ReadPlacement(alignment: alignment).readByteCount(for: record.extent)
    guard record.isCoded else { return read }
    let decoded = decodedOffset(ofPart: parts.count, in: record)
    return max(read, decoded.alignedUp(to: alignment))
  }

  /// Where a part begins among the decoded ones, which lie side by side.
  private func decodedOffset(ofPart number: Int, in record: BundleRecord) -> Int {
    (0..<number).reduce(0) { offset, part in
      offset
        + record.parts[part].slot(of: parts[part].shape).byteCount
        .alignedUp(to: Self.partAlignment)
    }
  }

  /// A part of an expert as products read it. Coded ones differ in size from expert to expert.
  package func slot(ofPart number: Int, expert: Int) -> CodedSlot {
    let part = parts[number]
    return records?[expert].parts[number].slot(of: part.shape)
      ?? CodedSlot(format: part.format, byteCount: part.slotByteCount)
  }

  /// Whether a part of any expert stays coded in memory.
  var hasCodedSlots: Bool {
    records?.contains { $0.parts.contains(where: \.staysCoded) } ?? false
  }

  /// Calls `body` with each piece that an expert is read in, the region that it goes to, and where
  /// in that.
  package func forEachRead(
    ofExpert expert: Int, alignment: Int,
    _ body: (_ extent: FileExtent, _ region: Int, _ offset: Int) -> Void
  ) {
    if let records { return body(records[expert].extent, 0, 0) }
    for (index, part) in parts.enumerated() {
      for number in 0..<part.extentCount {
        body(
          part.extent(number, ofExpert: expert), index,
          part.landingOffset(number, ofExpert: expert, alignment: alignment))
      }
    }
  }

  /// Where a part is once the expert is ready: the region, and its first byte there.
  package func location(
    ofPart number: Int, expert: Int, placement: ReadPlacement
  ) -> (region: Int, offset: Int) {
    guard let record = records?[expert] else {
      let part = parts[number]
      let isAsRead = part.conversion == nil
      return (number, isAsRead ? placement.phase(of: part.extent(ofExpert: expert)) : 0)
    }
    guard record.isCoded else {
      return (0, placement.phase(of: record.extent) + record.parts[number].offset)
    }
    return (0, decodedOffset(ofPart: number, in: record))
  }

  /// Whether something is to be done with what was read before it is used.
  var isFinishedAfterReading: Bool {
    records != nil || parts.contains { $0.conversion != nil }
  }

  /// Memory in which that is done, besides the expert's own.
  var finishByteCount: Int {
    let conversion = parts.reduce(0) { max($0, $1.conversionByteCount) }
    return records.map { records in
      records.reduce(0) { $1.isCoded ? max($0, $1.extent.byteCount) : $0 }
    } ?? conversion
  }

  /// The same experts, read from a bundle's records.
  ///
  /// - Parameters:
  ///   - layer: Parts in the same roles and of the same shapes; they may be in other formats.
  ///   - fileIndex: The bundle's, among the files that the reader has.
  package func stored(in layer: Bundle.Layer, fileIndex: Int) -> ExpertLayer {
    let parts = zip(parts, layer.parts).map { own, stored in
      guard let format = stored.shape?.format, format != own.format else { return own }
      return own.converted(to: format)
    }
    let records = layer.records.map { record in
      var record = record
      record.extent.fileIndex = fileIndex
      return record
    }
    return ExpertLayer(
      expertCount: expertCount, expertsPerToken: expertsPerToken, parts: parts, records: records)
  }

  /// Whether a bundle's layer has these experts: as many, with the same parts in the same formats;
  /// but matrices may be ternary, and copies in any format.
  fileprivate func hasSameShape(as layer: Bundle.Layer) -> Bool {
    guard expertCount == layer.records.count, parts.count == layer.parts.count else {
      return false
    }
    return zip(parts, zip(bundleParts, layer.parts)).allSatisfy { own, both in
      let (part, stored) = both
      guard part.formatID != stored.formatID else { return part == stored }
      return part.withoutFormat == stored.withoutFormat && own.role.isMatrix
        && (layer.isLow || stored.formatID == QuantFormat.ternary.ggmlType)
    }
  }

  /// What a bundle says of the layer's parts.
  package var bundleParts: [Bundle.Part] {
    parts.map {
      Bundle.Part(
        role: $0.role.number, formatID: $0.format.ggmlType, rowCount: $0.rowCount,
        columnCount: $0.columnCount)
    }
  }
}

extension ExpertLayout {
  /// The same experts, those of layers that a bundle has being read from there, in the formats that
  /// it has them in.
  ///
  /// - Parameter fileIndex: The bundle's, among the files that the reader has.
  package func stored(in bundle: Bundle, fileIndex: Int) throws(BundleError) -> ExpertLayout {
    var layout = self
    for layer in bundle.layers where !layer.isLow {
      guard layers.indices.contains(layer.number),
        layers[layer.number].hasSameShape(as: layer)
      else { throw .damagedTable(path: bundle.file.path) }
      layout.layers[layer.number] = layers[layer.number].stored(in: layer, fileIndex: fileIndex)
    }
    return layout
  }

  /// Copies of all experts in fewer bits; nil where the bundle has none.
  ///
  /// - Parameter fileIndex: The bundle's, among the files that the reader has.
  package func lowCopies(in bundle: Bundle, fileIndex: Int) throws(BundleError) -> ExpertLayout? {
    guard bundle.hasLowCopies else { return nil }
    var layout = self
    for number in layers.indices where layers[number].expertCount > 0 {
      guard let layer = bundle.layer(number, isLow: true),
        layers[number].hasSameShape(as: layer)
      else { throw .damagedTable(path: bundle.file.path) }
      layout.layers[number] = layers[number].stored(in: layer, fileIndex: fileIndex)
    }
    return layout
  }

  /// Memory besides the experts' own in which they are made ready; 0 where all are as stored.
  package var finishByteCount: Int { layers.reduce(0) { max($0, $1.finishByteCount) } }

  /// Whether any are in a bundle.
  package var hasRecords: Bool { layers.contains { $0.records != nil } }

  /// Whether any part stays coded in memory.
  package var hasCodedSlots: Bool { layers.contains(where: \.hasCodedSlots) }

  /// Memory for the codecs of a bundle, a dictionary among it; 0 without one.
  package func codecByteCount(workerCount: Int) -> Int {
    guard hasRecords else { return 0 }
    return CodecRoom.byteCount(workerCount: workerCount, encodes: false)
      + (hasCodedSlots ? QMoECode.byteCount : 0)
  }
}

extension Bundle.Part {
  /// What a copy in another format has in common.
  package var withoutFormat: [Int] { [Int(role), rowCount, columnCount] }
}
