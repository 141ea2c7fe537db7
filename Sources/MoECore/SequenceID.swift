/// Names one text in progress among those that an engine works on.
///
/// The owner of the sequences gives the numbers out: from 0 on, below the most sequences that it
/// holds at a time, and again once a sequence has ended. So whoever learns something for each
/// sequence keeps it in arrays of fixed size.
package struct SequenceID: RawRepresentable, Sendable, Hashable {
  package let rawValue: Int

  package init(rawValue: Int) {
    precondition(rawValue >= 0)
    self.rawValue = rawValue
  }
}
