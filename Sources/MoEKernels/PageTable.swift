/// Where a sequence's pages of keys and values are: a borrowed table of addresses, which its owner
/// keeps as long as the table is used.
///
/// Entries may change between operations, as pages are given and taken back. An entry without an
/// address is a page that has no memory at the moment.
@safe package struct PageTable: @unchecked Sendable {
  let addresses: UnsafePointer<UnsafeMutableRawPointer?>
  package let count: Int
  /// Bytes of each page.
  package let pageByteCount: Int

  package init(
    _ addresses: UnsafePointer<UnsafeMutableRawPointer?>, count: Int, pageByteCount: Int
  ) {
    precondition(count >= 0 && pageByteCount >= 0)
    unsafe self.addresses = addresses
    self.count = count
    self.pageByteCount = pageByteCount
  }

  func hasPage(_ index: Int) -> Bool {
    precondition(index >= 0 && index < count)
    return unsafe addresses[index] != nil
  }
}
