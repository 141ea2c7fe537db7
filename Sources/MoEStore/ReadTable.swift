import MoECore

/// A part of a group that was not sent yet, or not wholly: an aligned run of one file.
@safe struct PendingPart {
  var fileIndex = 0
  /// Next file offset to ask for, aligned.
  var offset = 0
  /// End of the aligned run; may lie past the end of the file.
  var alignedEnd = 0
  /// End of the bytes that are wanted.
  var neededEnd = 0
  /// Where the byte at `offset` goes.
  var destination: UnsafeMutableRawPointer
  /// The next part of the same group, or of the free list; -1 at the end.
  var next = -1
}

/// One request under way, or waiting to be sent once more.
@safe struct Piece {
  var group = -1
  var fileIndex = 0
  /// What is still to be read: aligned start and end.
  var offset = 0
  var alignedEnd = 0
  /// The piece is done when the bytes before this one are there; never past `alignedEnd`.
  var neededEnd = 0
  /// Where the byte at `offset` goes.
  var destination: UnsafeMutableRawPointer
  /// Tries without progress since the last progress.
  var attemptCount = 0
  var isInFlight = false
  /// While it is under way: whose copy is read.
  var disk = 0
}

/// What one `submit` asked for.
struct Group {
  var tag = 0
  var priority = ReadPriority.demand
  /// The parts not wholly sent, as a list; -1 where there are none.
  var firstPart = -1
  var lastPart = -1
  /// Pieces that hold memory of this group.
  var pieceCount = 0
  /// Whether anything of it was sent; from then on it cannot be cancelled.
  var isStarted = false
  /// A synchronous read: its end is not queued, and who started it frees it.
  var isSynchronous = false
  /// Where a timeline shows it.
  var timelineRead = Timeline.Read()
  /// Neighbours in the backlog, or the next of the free list; -1 at the ends.
  var previous = -1
  var next = -1
}

/// A doubly linked list through the groups of a table.
struct GroupList {
  var first = -1
  var last = -1
}

/// The fixed storage of an `ExtentReader`: groups, parts and pieces, linked by index.
///
/// Everything is made in `init`; afterwards nothing allocates.
struct ReadTable {
  var groups: [Group]
  var parts: [PendingPart]
  var pieces: [Piece]
  /// Groups with parts to send, by `ReadPriority.rawValue`, in order of arrival.
  private var backlog = [GroupList(), GroupList()]
  private var freeGroup = -1
  private var freePart = -1
  private var freePieces: [Int]
  private(set) var freeGroupCount = 0
  private(set) var freePartCount = 0

  /// `nowhere` fills unused places; nothing is ever read to it.
  init(
    groupCapacity: Int, partCapacity: Int, pieceCapacity: Int, nowhere: UnsafeMutableRawPointer
  ) {
    groups = Array(repeating: Group(), count: groupCapacity)
    parts = unsafe Array(repeating: PendingPart(destination: nowhere), count: partCapacity)
    pieces = unsafe Array(repeating: Piece(destination: nowhere), count: pieceCapacity)
    freePieces = Array((0..<pieceCapacity).reversed())
    for index in groups.indices.reversed() { freeGroup(index) }
    for index in parts.indices.reversed() { freePart(index) }
  }

  var pieceCountInUse: Int { pieces.count - freePieces.count }

  // Taking and giving back places. Who takes has checked that one is free.

  mutating func takeGroup(_ group: Group) -> Int {
    let index = freeGroup
    precondition(index >= 0)
    freeGroup = groups[index].next
    freeGroupCount -= 1
    groups[index] = group
    return index
  }

  mutating func freeGroup(_ index: Int) {
    groups[index] = Group()
    groups[index].next = freeGroup
    freeGroup = index
    freeGroupCount += 1
  }

  mutating func takePiece(_ piece: Piece) -> Int? {
    guard let index = freePieces.popLast() else { return nil }
    pieces[index] = piece
    return index
  }

  mutating func freePiece(_ index: Int) {
    pieces[index].group = -1
    pieces[index].isInFlight = false
    freePieces.append(index)
  }

  // Parts of a group.

  mutating func append(_ part: PendingPart, toGroup group: Int) {
    let index = freePart
    precondition(index >= 0)
    freePart = parts[index].next
    freePartCount -= 1
    parts[index] = part
    parts[index].next = -1
    let last = groups[group].lastPart
    if last < 0 { groups[group].firstPart = index } else { parts[last].next = index }
    groups[group].lastPart = index
  }

  mutating func removeFirstPart(ofGroup group: Int) {
    let index = groups[group].firstPart
    groups[group].firstPart = parts[index].next
    if groups[group].firstPart < 0 { groups[group].lastPart = -1 }
    freePart(index)
  }

  mutating func removeParts(ofGroup group: Int) {
    while groups[group].firstPart >= 0 { removeFirstPart(ofGroup: group) }
  }

  private mutating func freePart(_ index: Int) {
    parts[index].next = freePart
    freePart = index
    freePartCount += 1
  }

  // The backlog. A group is in the list of its priority as long as it has parts to send.

  func firstGroup(_ priority: ReadPriority) -> Int? {
    let first = backlog[priority.rawValue].first
    return first < 0 ? nil : first
  }

  mutating func link(_ group: Int) {
    let list = groups[group].priority.rawValue
    let last = backlog[list].last
    groups[group].previous = last
    groups[group].next = -1
    if last < 0 { backlog[list].first = group } else { groups[last].next = group }
    backlog[list].last = group
  }

  mutating func unlink(_ group: Int) {
    let list = groups[group].priority.rawValue
    let (previous, next) = (groups[group].previous, groups[group].next)
    if previous < 0 { backlog[list].first = next } else { groups[previous].next = next }
    if next < 0 { backlog[list].last = previous } else { groups[next].previous = previous }
  }

  /// The first group with a tag in the backlog of a priority, or nil.
  func group(withTag tag: Int, _ priority: ReadPriority) -> Int? {
    var index = backlog[priority.rawValue].first
    while index >= 0 && groups[index].tag != tag { index = groups[index].next }
    return index < 0 ? nil : index
  }
}
