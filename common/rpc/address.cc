#include "common/rpc/address.h"

#include <sys/un.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace dovetail::rpc {
namespace {

constexpr size_t kMaxUnixPathBytes = sizeof(sockaddr_un::sun_path) - 1;

bool IsLoopbackHost(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  // All of 127.0.0.0/8, and nothing like "127.evil.example".
  const std::vector<std::string> octets = absl::StrSplit(host, '.');
  if (octets.size() != 4 || octets[0] != "127") return false;
  for (const std::string& octet : octets) {
    int value = 0;
    if (!absl::SimpleAtoi(octet, &value) || value < 0 || value > 255) return false;
  }
  return true;
}

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not an address (", why,
                   "); write unix:/path/to/socket or host:port, such as 127.0.0.1:50051"));
}

}  // namespace

bool Address::is_local() const { return is_unix() || IsLoopbackHost(host); }

std::string Address::ToText() const {
  if (is_unix()) return absl::StrCat("unix:", unix_path);
  if (absl::StrContains(host, ':')) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  Address address;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix:")) {
    absl::ConsumePrefix(&rest, "//");  // unix:///run/x
    if (rest.empty()) return Malformed(text, "no path");
    if (rest.size() > kMaxUnixPathBytes) {
      return Malformed(text, absl::StrCat("the path has ", rest.size(), " bytes, the limit is ",
                                          kMaxUnixPathBytes));
    }
    address.unix_path = std::string(rest);
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Malformed(text, "no port");
  absl::string_view host = text.substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return Malformed(text, "unbalanced bracket");
  } else if (absl::StrContains(host, ':')) {
    return Malformed(text, "an IPv6 host needs brackets");
  }
  if (host.empty()) return Malformed(text, "no host");
  address.host = std::string(host);
  if (!absl::SimpleAtoi(text.substr(colon + 1), &address.port) || address.port < 0 ||
      address.port > 65535) {
    return Malformed(text, "the port is not in 0..65535");
  }
  return address;
}

}  // namespace dovetail::rpc
