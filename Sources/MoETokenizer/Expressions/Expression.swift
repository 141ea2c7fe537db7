/// A regular expression, ready to be matched: a program for `ExpressionMatcher`.
///
/// Alternatives of the whole expression are programs of their own, and a table says which of them
/// a scalar can begin, so that most are never tried.
///
/// A class, so that handing it on costs one count and not that of each table.
final class Expression: Sendable {
  /// As it was written.
  let text: String
  let instructions: [Instruction]
  let sets: [MatchedSet]
  /// Pieces of sets that have several: where they begin, and the kinds that belong to the set.
  private let starts: [UInt32]
  private let masks: [UInt32]
  /// Where the alternatives' programs begin, in their order.
  let entries: [Int]
  /// Which alternatives a scalar below U+0080 can begin, a bit for each.
  let firstOfASCII: [UInt64]
  /// The same for other scalars, by their kind: what any scalar of the kind can begin.
  let firstOfKind: [UInt64]

  enum Instruction: Sendable {
    /// One scalar of a set.
    case one(set: Int)
    /// As many scalars of a set as there are up to `max`, and at least `min`. If it `givesBack`,
    /// fewer are tried where the rest does not match.
    case run(set: Int, min: Int, max: Int, givesBack: Bool)
    /// First the one place, then the other. With `forgets`, whatever was left to be tried before
    /// is not needed any more: the other place always leads to a match.
    case split(first: Int, second: Int, forgets: Bool)
    case jump(Int)
    /// The program at `body` must match here, or must not; then on at `next`.
    case lookAhead(body: Int, next: Int, isNegated: Bool)
    /// The program at `body` must match here, in its first way; then on at `next` behind it.
    case atomic(body: Int, next: Int)
    case position(ExpressionSyntax.Position)
    case accept
  }

  /// At most 64 alternatives have a bit each.
  static let entryCountMax = 64
  private static let instructionCountMax = 20_000

  init(_ text: String) throws(ExpressionError) {
    let syntax = try ExpressionParser.parse(text)
    if syntax.lengthMin == 0 { throw ExpressionError(problem: "matches where nothing is") }
    var alternatives = [syntax]
    if case .alternatives(let parts) = syntax, parts.count <= Self.entryCountMax {
      alternatives = parts
    }
    var compiler = ExpressionCompiler(instructionCountMax: Self.instructionCountMax)
    var entries: [Int] = []
    let accept = ExpressionSyntax.Start(canBeNothing: true)
    for alternative in alternatives {
      entries.append(compiler.instructions.count)
      try compiler.compile(alternative, before: accept)
      compiler.instructions.append(.accept)
    }
    let firsts = alternatives.map { $0.start(before: accept).set }
    func bits(_ isStart: (ScalarSet) -> Bool) -> UInt64 {
      firsts.enumerated().reduce(0) { isStart($1.element) ? $0 | 1 << UInt64($1.offset) : $0 }
    }
    self.text = text
    self.entries = entries
    instructions = compiler.instructions
    var starts: [UInt32] = []
    var masks: [UInt32] = []
    sets = compiler.sets.map { MatchedSet($0, &starts, &masks) }
    self.starts = starts
    self.masks = masks
    firstOfASCII = (UInt32(0)..<0x80).map { scalar in bits { $0.contains(scalar) } }
    firstOfKind = (UInt32(0)..<32).map { kind in
      bits { set in set.masks.contains { $0 >> kind & 1 != 0 } }
    }
  }
}

extension Expression {
  /// Whether a scalar from U+0080 on belongs to a set.
  func contains(_ set: MatchedSet, _ scalar: UInt32, kind: UInt8) -> Bool {
    if set.pieceCount == 1 { return set.mask >> UInt32(kind) & 1 != 0 }
    var (low, high) = (set.firstPiece, set.firstPiece + set.pieceCount)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= scalar { low = middle } else { high = middle }
    }
    return masks[low] >> UInt32(kind) & 1 != 0
  }
}

/// A set in the form that is asked millions of times: a bit for each ASCII scalar, then pieces.
struct MatchedSet: Sendable {
  let low: UInt64
  let high: UInt64
  /// The kinds of the first piece, which is as a rule the only one.
  let mask: UInt32
  /// In the tables of the expression.
  let firstPiece: Int
  let pieceCount: Int

  /// Appends its pieces to the expression's tables.
  init(_ set: ScalarSet, _ starts: inout [UInt32], _ masks: inout [UInt32]) {
    func bits(_ first: UInt32) -> UInt64 {
      (0..<64).reduce(0) { set.contains(first + $1) ? $0 | 1 << UInt64($1) : $0 }
    }
    low = bits(0)
    high = bits(64)
    // Pieces that end in ASCII have said all they can.
    let skipped = set.starts.dropFirst().prefix { $0 <= 0x80 }.count
    mask = set.masks[skipped]
    firstPiece = starts.count
    pieceCount = set.starts.count - skipped
    starts += set.starts[skipped...]
    masks += set.masks[skipped...]
  }

  @inline(__always)
  func contains(ascii byte: UInt8) -> Bool {
    (byte < 64 ? low >> UInt64(byte) : high >> UInt64(byte & 63)) & 1 != 0
  }
}

/// Turns an expression's tree into instructions.
struct ExpressionCompiler {
  let instructionCountMax: Int
  var instructions: [Expression.Instruction] = []
  private(set) var sets: [ScalarSet] = []

  init(instructionCountMax: Int) { self.instructionCountMax = instructionCountMax }

  private mutating func number(of set: ScalarSet) -> Int {
    if let index = sets.firstIndex(of: set) { return index }
    sets.append(set)
    return sets.count - 1
  }

  private mutating func emit(_ instruction: Expression.Instruction) throws(ExpressionError) {
    if instructions.count >= instructionCountMax {
      throw ExpressionError(problem: "repeats too much")
    }
    instructions.append(instruction)
  }

  /// `rest` is how what follows may begin; it decides what has to be remembered for a second try.
  mutating func compile(
    _ syntax: ExpressionSyntax, before rest: ExpressionSyntax.Start
  ) throws(ExpressionError) {
    switch syntax {
    case .set(let set): try emit(.one(set: number(of: set)))
    case .sequence(let parts):
      for index in parts.indices {
        let following = ExpressionSyntax.sequence(Array(parts[(index + 1)...]))
        try compile(parts[index], before: following.start(before: rest))
      }
    case .alternatives(let parts):
      try compile(choice: parts[...], before: rest)
    case .repetition(let part, let min, let max, let eagerness):
      try compile(part, min, max, eagerness, before: rest)
    case .lookAhead(let body, let isNegated):
      try compile(alone: body) { .lookAhead(body: $0, next: $1, isNegated: isNegated) }
    case .atomic(let body):
      try compile(alone: body) { .atomic(body: $0, next: $1) }
    case .position(let position): try emit(.position(position))
    }
  }

  private mutating func compile(
    choice parts: ArraySlice<ExpressionSyntax>, before rest: ExpressionSyntax.Start
  ) throws(ExpressionError) {
    guard let first = parts.first else { return }
    if parts.count == 1 { return try compile(first, before: rest) }
    let split = instructions.count
    try emit(.accept)
    try compile(first, before: rest)
    let jump = instructions.count
    try emit(.accept)
    instructions[split] = .split(first: split + 1, second: instructions.count, forgets: false)
    try compile(choice: parts.dropFirst(), before: rest)
    instructions[jump] = .jump(instructions.count)
  }

  private mutating func compile(
    _ part: ExpressionSyntax, _ min: Int, _ max: Int?,
    _ eagerness: ExpressionSyntax.Eagerness, before rest: ExpressionSyntax.Start
  ) throws(ExpressionError) {
    if case .set(let set) = part, eagerness != .lazy {
      let givesBack =
        eagerness == .greedy && !rest.canBeNothing && !set.isDisjoint(with: rest.set)
      return try emit(
        .run(set: number(of: set), min: min, max: max ?? Int.max, givesBack: givesBack))
    }
    if eagerness == .possessive {
      let body = ExpressionSyntax.repetition(part, min: min, max: max, .greedy)
      return try compile(.atomic(body), before: rest)
    }
    let again = part.start(before: rest).union(rest)
    for index in 0..<min {
      try compile(part, before: index + 1 < min ? part.start(before: again) : again)
    }
    if let max {
      // Optional copies, one inside the other.
      var splits: [Int] = []
      for _ in min..<max {
        splits.append(instructions.count)
        try emit(.accept)
        try compile(part, before: again)
      }
      for split in splits { finish(split, eagerness, rest) }
      return
    }
    let split = instructions.count
    try emit(.accept)
    try compile(part, before: again)
    try emit(.jump(split))
    finish(split, eagerness, rest)
  }

  /// A choice between what comes right after it and the end of the program so far.
  private mutating func finish(
    _ split: Int, _ eagerness: ExpressionSyntax.Eagerness, _ rest: ExpressionSyntax.Start
  ) {
    let (inside, outside) = (split + 1, instructions.count)
    instructions[split] =
      eagerness == .lazy
      ? .split(first: outside, second: inside, forgets: false)
      : .split(first: inside, second: outside, forgets: rest.canBeNothing)
  }

  /// A program of its own, jumped over.
  private mutating func compile(
    alone body: ExpressionSyntax, _ make: (Int, Int) -> Expression.Instruction
  ) throws(ExpressionError) {
    let place = instructions.count
    try emit(.accept)
    try compile(body, before: ExpressionSyntax.Start(canBeNothing: true))
    try emit(.accept)
    instructions[place] = make(place + 1, instructions.count)
  }
}
