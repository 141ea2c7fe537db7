import NIOCore
import Synchronization

/// Notices in a connection's pipeline that the client has gone, and that it reads nothing.
///
/// A client that sends no more counts as gone: nothing tells one that only closed its sending half
/// from one that closed its socket, and a generation that nobody reads must not go on.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = NIOAny

  let presence = ClientPresence()
  private let stallTimeMax: TimeAmount
  private var stallEnd: Scheduled<Void>?

  /// - Parameter stallTimeMax: How long a client may leave what was written for it unread.
  init(stallTimeMax: TimeAmount) { self.stallTimeMax = stallTimeMax }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent { presence.leave() }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end()
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { end() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if error is IOError { presence.leave() }
    context.fireErrorCaught(error)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      stallEnd?.cancel()
      stallEnd = nil
    } else if stallEnd == nil {
      let channel = context.channel
      stallEnd = context.eventLoop.scheduleTask(in: stallTimeMax) { channel.close(promise: nil) }
    }
    context.fireChannelWritabilityChanged()
  }

  private func end() {
    stallEnd?.cancel()
    stallEnd = nil
    presence.leave()
  }

  /// Who is at the other end of a channel.
  static func presence(of channel: any Channel) async throws -> ClientPresence {
    try await channel.eventLoop.submit {
      try channel.pipeline.syncOperations.handler(type: ConnectionWatch.self).presence
    }.get()
  }
}

/// Whether the client of a connection is there.
final class ClientPresence: Sendable {
  private struct State {
    var hasLeft = false
    /// What the connection's current request is.
    var scope: RequestScope?
  }

  private let state = Mutex(State())

  func leave() {
    let scope = state.withLock { state in
      state.hasLeft = true
      return state.scope
    }
    scope?.cancel(.clientLeft)
  }

  /// From now on until `end` the request ends with the connection.
  func begin(_ scope: RequestScope) {
    let hasLeft = state.withLock { state in
      state.scope = scope
      return state.hasLeft
    }
    if hasLeft { scope.cancel(.clientLeft) }
  }

  func end() { state.withLock { $0.scope = nil } }
}
