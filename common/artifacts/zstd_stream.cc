#include "common/artifacts/zstd_stream.h"

#include <zstd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace dovetail {
namespace {

// Level 3 compresses Verilog and JSON 5 to 10 times at several hundred MB/s.
constexpr int kLevel = 3;

}  // namespace

struct ZstdCompressor::State {
  explicit State(ByteSink s) : sink(std::move(s)), buffer(ZSTD_CStreamOutSize(), '\0') {
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kLevel);
  }
  ~State() { ZSTD_freeCCtx(context); }
  ByteSink sink;
  std::string buffer;
  ZSTD_CCtx* context = ZSTD_createCCtx();
};

ZstdCompressor::ZstdCompressor(ByteSink sink) : state_(std::make_unique<State>(std::move(sink))) {}
ZstdCompressor::~ZstdCompressor() = default;

absl::Status ZstdCompressor::Push(absl::string_view bytes, bool end) {
  ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer out = {state_->buffer.data(), state_->buffer.size(), 0};
    const size_t left =
        ZSTD_compressStream2(state_->context, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) {
      return absl::InternalError(absl::StrCat("zstd: ", ZSTD_getErrorName(left)));
    }
    if (out.pos > 0) {
      RETURN_IF_ERROR(state_->sink(absl::string_view(state_->buffer.data(), out.pos)));
    }
    if (end ? left == 0 : in.pos == in.size) return absl::OkStatus();
  }
}

absl::Status ZstdCompressor::Write(absl::string_view bytes) { return Push(bytes, false); }
absl::Status ZstdCompressor::Finish() { return Push("", true); }

struct ZstdDecompressor::State {
  explicit State(ByteSink s) : sink(std::move(s)), buffer(ZSTD_DStreamOutSize(), '\0') {}
  ~State() { ZSTD_freeDCtx(context); }
  ByteSink sink;
  std::string buffer;
  ZSTD_DCtx* context = ZSTD_createDCtx();
  size_t expected = 1;  // 0 at the end of a frame
};

ZstdDecompressor::ZstdDecompressor(ByteSink sink)
    : state_(std::make_unique<State>(std::move(sink))) {}
ZstdDecompressor::~ZstdDecompressor() = default;

absl::Status ZstdDecompressor::Write(absl::string_view bytes) {
  ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
  bool full = false;
  while (in.pos < in.size || full) {
    ZSTD_outBuffer out = {state_->buffer.data(), state_->buffer.size(), 0};
    state_->expected = ZSTD_decompressStream(state_->context, &out, &in);
    if (ZSTD_isError(state_->expected)) {
      return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_getErrorName(state_->expected)));
    }
    if (out.pos > 0) {
      RETURN_IF_ERROR(state_->sink(absl::string_view(state_->buffer.data(), out.pos)));
    }
    full = out.pos == out.size && state_->expected != 0;
  }
  return absl::OkStatus();
}

absl::Status ZstdDecompressor::Finish() {
  if (state_->expected == 0) return absl::OkStatus();
  return absl::DataLossError("zstd: the stream stops short");
}

}  // namespace dovetail
