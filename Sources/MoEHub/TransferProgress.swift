#if TLS
  private import Synchronization

  /// How far the transfer of a model is, counted by all of its files together.
  package final class TransferProgress: Sendable {
    /// Bytes that there are in the end.
    package let byteCount: Int
    private let held = Atomic(0)
    private let received = Atomic(0)
    private let changed: @Sendable (TransferProgress) -> Void

    /// - Parameter changed: Called from any thread when something has come.
    package init(byteCount: Int, changed: @escaping @Sendable (TransferProgress) -> Void = { _ in })
    {
      self.byteCount = byteCount
      self.changed = changed
    }

    /// Bytes that are there, whenever they came.
    package var heldByteCount: Int { held.load(ordering: .relaxed) }

    /// Bytes that this transfer has brought, also those that were thrown away.
    package var receivedByteCount: Int { received.load(ordering: .relaxed) }

    /// Counts what was there already; a negative number for what was thrown away.
    func hold(_ byteCount: Int) {
      held.add(byteCount, ordering: .relaxed)
      changed(self)
    }

    func receive(_ byteCount: Int) {
      received.add(byteCount, ordering: .relaxed)
      hold(byteCount)
    }
  }
#endif
