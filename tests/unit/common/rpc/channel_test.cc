// Channel and server together, over real sockets in this process.
#include "common/rpc/channel.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/server.h"
#include "common/rpc/status_conversion.h"
#include "dovetail/v1/exploration_service.grpc.pb.h"
#include "tests/support/status_matchers.h"

namespace dovetail::rpc {
namespace {

using dovetail::testing::StatusIs;
using ::testing::HasSubstr;

// Answers GetJob with the caller's tenant, after `unavailable` refusals.
class FakeService : public v1::ExplorationService::Service {
 public:
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest*,
                      v1::Job* job) override {
    ++calls;
    if (unavailable > 0) {
      --unavailable;
      return ToGrpc(absl::UnavailableError("starting"));
    }
    const absl::StatusOr<Principal> caller = Authenticate(*context, check);
    if (!caller.ok()) return ToGrpc(caller.status());
    job->set_tenant(caller->tenant);
    return grpc::Status::OK;
  }
  TokenCheck check;
  int unavailable = 0;
  int calls = 0;
};

class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() {
    char name[] = "/tmp/dvt_rpc_XXXXXX";
    directory_ = mkdtemp(name);
    address_ = "unix:" + directory_ + "/s";
  }
  ~ChannelTest() override {
    server_.reset();
    const int ignored = std::system(("rm -rf " + directory_).c_str());
    static_cast<void>(ignored);
  }

  void Start() { ASSERT_OK_AND_ASSIGN(server_, RpcServer::Start(address_, {}, {&service_})); }
  absl::StatusOr<std::string> AskTenant(const ChannelOptions& options, const CallOptions& call) {
    const auto channel = MakeChannel(address_, options);
    if (!channel.ok()) return channel.status();
    const auto stub = v1::ExplorationService::NewStub(*channel);
    v1::Job job;
    const absl::Status status = Call(call, [&](grpc::ClientContext* context) {
      return stub->GetJob(context, v1::GetJobRequest(), &job);
    });
    if (!status.ok()) return status;
    return job.tenant();
  }

  std::string directory_;
  std::string address_;
  FakeService service_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(ChannelTest, WithoutTokenCheckEveryoneIsTheDefaultTenant) {
  Start();
  ASSERT_OK_AND_ASSIGN(const std::string tenant, AskTenant({}, {}));
  EXPECT_EQ(tenant, "default");
}

TEST_F(ChannelTest, TokenReachesTheServersCheck) {
  service_.check = [](absl::string_view token) -> absl::StatusOr<Principal> {
    if (token == "secret") return Principal{.tenant = "cms"};
    return absl::UnauthenticatedError("unknown token");
  };
  Start();
  ASSERT_OK_AND_ASSIGN(const std::string tenant, AskTenant({.token = "secret"}, {}));
  EXPECT_EQ(tenant, "cms");
  EXPECT_THAT(AskTenant({.token = "guess"}, {}),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("unknown token")));
  EXPECT_THAT(AskTenant({}, {}), StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("token")));
}

TEST_F(ChannelTest, UnavailableIsRetriedUntilItAnswers) {
  Start();
  service_.unavailable = 3;
  int waits = 0;
  CallOptions call;
  call.wait = [&waits](int64_t) { return ++waits > 0; };
  EXPECT_OK(AskTenant({}, call));
  EXPECT_EQ(waits, 3);
  EXPECT_EQ(service_.calls, 4);
}

TEST_F(ChannelTest, RetriesEndAfterTheirNumberOrWhenTold) {
  Start();
  service_.unavailable = 100;
  CallOptions call;
  call.max_attempts = 3;
  call.wait = [](int64_t) { return true; };
  EXPECT_THAT(AskTenant({}, call), StatusIs(absl::StatusCode::kUnavailable, "starting"));
  EXPECT_EQ(service_.calls, 3);
  call.wait = [](int64_t) { return false; };
  EXPECT_FALSE(AskTenant({}, call).ok());
  EXPECT_EQ(service_.calls, 4);
}

TEST_F(ChannelTest, HealthIsServingUntilSaidOtherwise) {
  Start();
  ASSERT_OK_AND_ASSIGN(const auto channel, MakeChannel(address_, {}));
  EXPECT_OK(CheckHealth(channel, 5000));
  server_->SetServing(false);
  EXPECT_THAT(CheckHealth(channel, 5000), StatusIs(absl::StatusCode::kUnavailable, ::testing::_));
}

TEST_F(ChannelTest, SocketIsForItsOwnerAlone) {
  Start();
  struct stat info {};
  ASSERT_EQ(stat((directory_ + "/s").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077, 0u);
}

TEST_F(ChannelTest, SecondServerOnALiveSocketIsRefused) {
  Start();
  FakeService other;
  EXPECT_THAT(RpcServer::Start(address_, {}, {&other}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("in use")));
  EXPECT_OK(AskTenant({}, {}));
}

TEST_F(ChannelTest, FileInTheSocketsPlaceIsNotRemoved) {
  std::ofstream(directory_ + "/s") << "precious";
  EXPECT_THAT(RpcServer::Start(address_, {}, {}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("not a socket")));
  EXPECT_EQ(access((directory_ + "/s").c_str(), F_OK), 0);
}

TEST_F(ChannelTest, MissingDirectoryIsNamed) {
  EXPECT_THAT(RpcServer::Start("unix:" + directory_ + "/none/s", {}, {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/none/s")));
}

TEST_F(ChannelTest, SecondServerOnATcpPortIsRefused) {
  ASSERT_OK_AND_ASSIGN(const auto first, RpcServer::Start("127.0.0.1:0", {}, {&service_}));
  FakeService other;
  EXPECT_THAT(RpcServer::Start(first->address(), {}, {&other}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("--listen")));
}

TEST_F(ChannelTest, RemoteAddressWithoutTlsIsRefusedOnBothEnds) {
  EXPECT_THAT(RpcServer::Start("0.0.0.0:0", {}, {&service_}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("without TLS")));
  EXPECT_THAT(MakeChannel("10.1.2.3:50051", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("without TLS")));
}

// A throw-away authority, a server and a client certificate.
class TlsChannelTest : public ChannelTest {
 protected:
  void SetUp() override {
    const std::string script = "cd " + directory_ + R"( && (
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=authority -keyout ca.key -out ca.pem
      for who in server client; do
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$who \
          -keyout $who.key -out $who.csr
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext
        openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
          -extfile ext -out $who.pem
      done) > /dev/null 2>&1)";
    if (std::system(script.c_str()) != 0) GTEST_SKIP() << "no openssl command";
  }
  TlsOptions Tls(const std::string& who) {
    return {.ca_file = directory_ + "/ca.pem",
            .certificate_file = directory_ + "/" + who + ".pem",
            .key_file = directory_ + "/" + who + ".key"};
  }
};

TEST_F(TlsChannelTest, MutualTlsAndTokenWorkTogether) {
  service_.check = [](absl::string_view token) -> absl::StatusOr<Principal> {
    return Principal{.tenant = std::string(token)};
  };
  ASSERT_OK_AND_ASSIGN(server_,
                       RpcServer::Start("127.0.0.1:0", {.tls = Tls("server")}, {&service_}));
  address_ = server_->address();
  ASSERT_OK_AND_ASSIGN(const std::string tenant,
                       AskTenant({.tls = Tls("client"), .token = "atlas"}, {}));
  EXPECT_EQ(tenant, "atlas");
}

TEST_F(TlsChannelTest, ClientWithoutCertificateOrTlsIsTurnedAway) {
  ASSERT_OK_AND_ASSIGN(server_,
                       RpcServer::Start("127.0.0.1:0", {.tls = Tls("server")}, {&service_}));
  address_ = server_->address();
  CallOptions once;
  once.max_attempts = 1;
  once.deadline_ms = 5000;
  EXPECT_FALSE(AskTenant({.tls = {.ca_file = directory_ + "/ca.pem"}}, once).ok());
  EXPECT_FALSE(AskTenant({}, once).ok());
  EXPECT_EQ(service_.calls, 0);
}

}  // namespace
}  // namespace dovetail::rpc
