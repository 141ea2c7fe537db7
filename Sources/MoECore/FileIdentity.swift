/// What tells one state of a file from another: who reads a file again can see whether it is still
/// the one whose header was read.
public struct FileIdentity: Hashable, Sendable {
  /// The device and the file's number there: another file under the same name has others.
  public let device: UInt64
  public let inode: UInt64
  public let byteCount: Int
  /// When the content was last changed, in nanoseconds since 1970.
  public let modifiedNanoseconds: Int

  public init(device: UInt64, inode: UInt64, byteCount: Int, modifiedNanoseconds: Int) {
    self.device = device
    self.inode = inode
    self.byteCount = byteCount
    self.modifiedNanoseconds = modifiedNanoseconds
  }
}
