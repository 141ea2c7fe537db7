import ArgumentParser
import MoERuntime

#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Why a subcommand ends without success.
enum Failure: Error {
  /// A file or stream is at fault; one sentence.
  case runtime(String)
  /// A flag is at fault, as only the subcommand can tell; one sentence.
  case usage(String)
  /// What was to be said has been said.
  case silent(code: Int32)
  /// Nobody reads standard output any more.
  case outputClosed
  /// A signal asked for the end.
  case interrupted(signal: Int32)
}

/// Ends the program: help goes to standard output, an error to standard error as one sentence.
func end(reporting error: any Error) -> Never {
  switch error {
  case let failure as Failure:
    end(reporting: failure)
  case EngineError.budgetTooSmall(let plan):
    StandardError.write(plan.flagTable + "\n")
    end(1, EngineError.budgetTooSmall(plan).flagDescription)
  case is CancellationError, EngineError.cancelled:
    end(reporting: Failure.interrupted(signal: Interruption.received ?? SIGINT))
  case let error as EngineError:
    end(1, error.flagDescription)
  default:
    let code = MoERun.exitCode(for: error)
    guard code.isSuccess else { end(code.rawValue, MoERun.message(for: error)) }
    do {
      try StandardOutput.write(MoERun.fullMessage(for: error) + "\n")
      exit(0)
    } catch {
      end(reporting: error)
    }
  }
}

private func end(reporting failure: Failure) -> Never {
  switch failure {
  case .runtime(let sentence): end(1, sentence)
  case .usage(let sentence): end(ExitCode.validationFailure.rawValue, sentence)
  case .silent(let code): exit(code)
  case .outputClosed:
    end(128 + SIGPIPE, "standard output was closed before all of the text was written")
  case .interrupted(let signal): exit(128 + signal)
  }
}

private func end(_ code: Int32, _ sentence: String) -> Never {
  StandardError.write("moe-run: \(sentence)\n")
  exit(code)
}
