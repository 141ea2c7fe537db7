package import MoECore
package import MoEKernels
package import MoEStore

/// Makes of an expert that was read what products read: checks and decodes records of bundles, and
/// converts parts that files have in another form.
///
/// What was read is moved aside first, to memory that all experts share, so that a place needs no
/// more than the larger of the two forms.
package struct ExpertFinisher: ~Copyable {
  private let buffer: AlignedBuffer
  private let team: WorkerTeam
  /// Nil where nothing is in a bundle.
  private let room: CodecRoom?

  package init(_ layout: ExpertLayout, team: WorkerTeam) throws(OutOfMemory) {
    // Together at the end: a value half made cannot be taken apart.
    let room = layout.hasRecords ? try CodecRoom(team) : nil
    if layout.hasCodedSlots { try QMoECode.prepare() }
    let buffer = try AlignedBuffer(byteCount: layout.finishByteCount)
    self.room = room
    self.buffer = buffer
    self.team = team
  }

  /// - Parameter region: The memory of each region of the expert's place.
  package borrowing func finish(
    _ layer: ExpertLayer, expert: ExpertID, alignment: Int, placement: ReadPlacement,
    files: [StoreFile], region: (_ number: Int) -> ByteView
  ) throws(ExpertError) {
    if let record = layer.records?[expert.index] {
      guard decode(record, layer, expert.index, placement: placement, in: region(0)) else {
        let path = files[record.extent.fileIndex].path
        let damage = BundleError.damagedExpert(
          path: path, layer: expert.layer, expert: expert.index)
        throw .store(damage.description)
      }
      return
    }
    for (number, part) in layer.parts.enumerated() {
      convert(
        part, ofExpert: expert.index, in: region(number), alignment: alignment,
        placement: placement)
    }
  }

  /// False where the bytes are not those that were packed.
  private borrowing func decode(
    _ record: BundleRecord, _ layer: ExpertLayer, _ expert: Int, placement: ReadPlacement,
    in region: ByteView
  ) -> Bool {
    guard let room else { return false }
    var bytes = region.slice(
      placement.phase(of: record.extent), count: record.extent.byteCount)
    if record.isCoded {
      let aside = buffer.bytes(count: bytes.count)
      team.copy(bytes, to: aside)
      bytes = aside
    }
    guard record.isSound(bytes, room: room) else { return false }
    guard record.isCoded else { return true }
    for (number, part) in layer.parts.enumerated() {
      let coded = record.parts[number]
      let place = layer.location(ofPart: number, expert: expert, placement: placement)
      guard let codec = CodecRegistry.entry(id: coded.codecID) else { return false }
      do {
        try codec.decode(
          bytes.slice(coded.offset, count: coded.byteCount), part.shape,
          region.slice(
            place.offset, count: layer.slot(ofPart: number, expert: expert).byteCount), room)
      } catch {
        return false
      }
    }
    return true
  }

  private borrowing func convert(
    _ part: ExpertPart, ofExpert expert: Int, in region: ByteView, alignment: Int,
    placement: ReadPlacement
  ) {
    guard let conversion = part.conversion else { return }
    var pieces: [2 of ByteView?] = [nil, nil]
    var end = 0
    for number in 0..<part.extentCount {
      let extent = part.extent(number, ofExpert: expert)
      let start = part.landingOffset(number, ofExpert: expert, alignment: alignment)
      let piece = buffer.bytes(atOffset: end, count: extent.byteCount)
      team.copy(
        region.slice(start + placement.phase(of: extent), count: extent.byteCount), to: piece)
      pieces[number] = piece
      end += ExpertPart.conversionPieceByteCount(extent.byteCount)
    }
    guard let main = pieces[0] else { return }
    let isMatrix = part.role.isMatrix
    team.convert(
      conversion, to: part.format, rowCount: isMatrix ? part.rowCount : part.columnCount,
      columnCount: isMatrix ? part.columnCount : 1, stored: main, scales: pieces[1],
      into: region.slice(0, count: part.slotByteCount))
  }
}

extension ExpertPart {
  /// What a piece takes while it is moved aside.
  static func conversionPieceByteCount(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  /// What the pieces of an expert's part take while they are moved aside.
  var conversionByteCount: Int {
    guard conversion != nil else { return 0 }
    return (0..<extentCount).reduce(0) {
      $0 + Self.conversionPieceByteCount(extent($1, ofExpert: 0).byteCount)
    }
  }
}
