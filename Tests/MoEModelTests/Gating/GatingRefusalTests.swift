import MoECore
import MoEModel
import Testing

/// What is written wrongly, or suits no model at hand, ends in one sentence that says what to do.
@Suite struct GatingRefusalTests {
  @Test(arguments: [
    ("", "give one of off, top-k:K"), ("on", "give one of"), ("top-q:1", "give one of"),
    ("off:1", "give one of"), ("auto:1%", "give one of"),
    ("top-k", "write it as top-k:K"), ("top-k:", "K must be a whole number from 1"),
    ("top-k:1,2", "write it as top-k:K"), ("top-k:0", "from 1, but is '0'"),
    ("top-k:-1", "but is '-1'"), ("top-k:2.5", "but is '2.5'"),
    ("top-k:99999999999999999999", "whole number"),
    ("schedule:1,2,3", "write it as schedule:B,H,E,P"), ("schedule:0,1,1,1", "B must be"),
    ("schedule:1,x,1,1", "H must be"), ("schedule:1,1,,1", "E must be"),
    ("schedule:1,1,1,0", "P must be a whole number from 1"),
    ("top-p:1.1", "P must be a number from 0 to 1, but is '1.1'"), ("top-p:nan", "but is 'nan'"),
    ("top-p:-0.1", "but is '-0.1'"), ("threshold:2", "T must be"), ("threshold:inf", "T must be"),
    ("cache-prior", "write it as cache-prior:LAMBDA[,J]"), ("cache-prior:-1", "LAMBDA must be"),
    ("cache-prior:1,-1", "J must be"), ("cache-prior:1,1,1", "write it as"),
    ("miss-low:2", "H must be a number from -1 to 1, but is '2'"),
    ("miss-low:0.5,0.2", "H must not be above S"),
    ("miss-skip:x", "T must be a number from 0 to 1, but is 'x'"),
    ("prototypes:0", "Z must be a whole number from 1"),
  ])
  func textsThatAreNoGatingAreRefused(_ text: String, _ expected: String) {
    do {
      _ = try GatingRegistry.parse(text)
      Issue.record("'\(text)' was taken")
    } catch {
      let message = error.description
      #expect(message.contains(expected), "\(message)")
      #expect(message.contains(text.quotedForMessage) && !message.contains("\n"))
    }
  }

  @Test(arguments: [
    ("top-k:5", "takes 4 experts"), ("schedule:5,1,1,1", "takes 4 experts"),
    ("schedule:1,1,5,1", "takes 4 experts"), ("schedule:1,1,1,5", "0 and 5"),
    ("cache-prior:1,5", "at most as many for J"), ("prototypes:3", "divide the 8 experts"),
    ("prototypes:8", "at most the 4"),
  ])
  func gatingsThatDoNotSuitAModelAreRefused(_ text: String, _ expected: String) throws {
    let shape = GatingShape(layerCount: 6, expertCount: 8, expertsPerToken: 4)
    let factory = try #require(try GatingRegistry.parse(text))
    do {
      _ = try factory(shape)
      Issue.record("'\(text)' was taken")
    } catch {
      #expect("\(error)".contains(expected), "\(error)")
    }
  }

  @Test func offIsNoGating() throws {
    let factory = try GatingRegistry.parse("off")
    #expect(factory == nil)
  }
}
