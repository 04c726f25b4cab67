#include "services/worker/nn/onnx/wire_limits.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail::nn::onnx_file {
namespace {

enum class Kind { kLeaf, kModel, kGraph, kNode, kAttribute, kTensor, kAny };

// Field numbers of onnx.proto3 (ModelProto, GraphProto, NodeProto, AttributeProto).
Kind KindOf(Kind parent, uint64_t field) {
  switch (parent) {
    case Kind::kModel:
      return field == 7 ? Kind::kGraph : Kind::kAny;
    case Kind::kGraph:
      if (field == 1) return Kind::kNode;
      if (field == 5) return Kind::kTensor;
      return field == 2 || field == 10 ? Kind::kLeaf : Kind::kAny;
    case Kind::kNode:
      return field == 5 ? Kind::kAttribute : Kind::kLeaf;
    case Kind::kAttribute:
      if (field == 5 || field == 10) return Kind::kTensor;
      if (field == 6 || field == 11) return Kind::kGraph;
      return Kind::kLeaf;
    default:
      return Kind::kLeaf;
  }
}

class Scanner {
 public:
  Scanner(int64_t max_fields) : left_(max_fields) {}

  absl::Status Scan(absl::string_view bytes, Kind kind, int depth) {
    if (depth > 20) return absl::InvalidArgumentError("not ONNX: graphs nested too deep");
    size_t at = 0;
    while (at < bytes.size()) {
      if (--left_ < 0) return absl::InvalidArgumentError("the ONNX file has too many fields");
      uint64_t tag = 0;
      uint64_t size = 0;
      if (!Varint(bytes, at, tag)) return Malformed();
      switch (tag & 7) {
        case 0:
          if (!Varint(bytes, at, size)) return Malformed();
          continue;
        case 1:
          size = 8;
          break;
        case 5:
          size = 4;
          break;
        case 2:
          if (!Varint(bytes, at, size)) return Malformed();
          break;
        default:
          return Malformed();
      }
      if (size > bytes.size() - at) return Malformed();
      const Kind inner = (tag & 7) == 2 ? KindOf(kind, tag >> 3) : Kind::kLeaf;
      if (inner == Kind::kAny) {
        // Types, metadata, functions: messages or texts of no interest; every four bytes count as
        // a field.
        left_ -= static_cast<int64_t>(size / 4);
      } else if (inner != Kind::kLeaf) {
        RETURN_IF_ERROR(Scan(bytes.substr(at, size), inner, depth + 1));
      }
      at += size;
    }
    return absl::OkStatus();
  }

 private:
  static absl::Status Malformed() {
    return absl::InvalidArgumentError("not an ONNX file: its protobuf is malformed or cut short");
  }

  static bool Varint(absl::string_view bytes, size_t& at, uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at >= bytes.size()) return false;
      const uint8_t byte = static_cast<uint8_t>(bytes[at++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  int64_t left_;
};

}  // namespace

absl::Status CheckWireLimits(absl::string_view bytes, int64_t max_fields) {
  return Scanner(max_fields).Scan(bytes, Kind::kModel, 0);
}

}  // namespace dovetail::nn::onnx_file
