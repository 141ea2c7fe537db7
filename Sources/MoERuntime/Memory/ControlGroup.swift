private import MoEPlatform

/// Where the control group of this process is, of either version: its folder, and its ancestors'
/// up to the mount point, since a limit may stand at any of them.
struct ControlGroup: Sendable {
  /// The group's own first.
  let folders: [String]
  let isVersion2: Bool

  /// What the kernel says of this process; empty where there is no `/proc`.
  static var membership: String { KernelFile.text("/proc/self/cgroup") ?? "" }
  static var mounts: String { KernelFile.text("/proc/self/mountinfo") ?? "" }

  /// Nil where the group is not known.
  ///
  /// - Parameters:
  ///   - controller: What version 1 calls it, for example `memory`.
  ///   - membership: The text of `/proc/self/cgroup`.
  ///   - mounts: The text of `/proc/self/mountinfo`.
  init?(_ controller: String, membership: String, mounts: String) {
    var versionOnePath: String?
    var versionTwoPath: String?
    for line in membership.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[0] == "0" && fields[1].isEmpty { versionTwoPath = String(fields[2]) }
      if fields[1].split(separator: ",").contains(controller[...]) {
        versionOnePath = String(fields[2])
      }
    }
    // Where both are mounted, a controller is in one of them: version 1 if it is listed.
    isVersion2 = versionOnePath == nil
    guard let path = versionOnePath ?? versionTwoPath,
      let mount = Self.mountPoint(of: isVersion2 ? nil : controller, in: mounts)
    else { return nil }
    var folders: [String] = []
    var parts = path.split(separator: "/")
    let root = mount.root.split(separator: "/")
    // A container may see a part of the hierarchy only; what is above its root is not there for it.
    if parts.starts(with: root) { parts.removeFirst(root.count) }
    while true {
      folders.append(([mount.point] + parts.map(String.init)).joined(separator: "/"))
      if parts.isEmpty { break }
      parts.removeLast()
    }
    self.folders = folders
  }

  /// - Parameter controller: Of version 1; nil: version 2.
  private static func mountPoint(
    of controller: String?, in mounts: String
  ) -> (root: String, point: String)? {
    for line in mounts.split(separator: "\n") {
      // "36 35 98:0 /root /point options - type source superoptions"
      let halves = line.split(separator: " - ", maxSplits: 1)
      guard halves.count == 2 else { continue }
      let left = halves[0].split(separator: " ")
      let right = halves[1].split(separator: " ")
      guard left.count >= 5, let type = right.first else { continue }
      let matches =
        if let controller {
          type == "cgroup"
            && (right.last ?? "").split(separator: ",").contains(controller[...])
        } else {
          type == "cgroup2"
        }
      if matches { return (String(left[3]), String(left[4])) }
    }
    return nil
  }
}
