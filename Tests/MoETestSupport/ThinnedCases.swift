private import Foundation

/// Of a long list of cases, every so manieth is taken where `MOE_CASE_STRIDE` says so: the first,
/// and then one after so many. All of them by default.
///
/// Under a sanitizer a definition in double precision takes minutes. A test thins the list of its
/// sizes and lengths, and leaves levels, types, formats and shapes, so that each kernel still runs.
private let caseStride = max(
  ProcessInfo.processInfo.environment["MOE_CASE_STRIDE"].flatMap { Int($0) } ?? 1, 1)

extension RandomAccessCollection where Index == Int {
  package var thinned: [Element] {
    stride(from: startIndex, to: endIndex, by: caseStride).map { self[$0] }
  }
}
