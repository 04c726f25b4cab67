#include "services/worker/nn/npz.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/half_float.h"

namespace dovetail::nn {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEndOfDirectory = 0x06054b50;
constexpr uint32_t kZip64Locator = 0x07064b50;
constexpr uint32_t kZip64End = 0x06064b50;

absl::Status Malformed(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not an .npz file: ", why));
}

// Little-endian; precondition: within the bytes.
template <typename Number>
Number At(absl::string_view bytes, uint64_t offset) {
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(number));
  return number;
}

struct Entry {
  std::string name;
  uint16_t method = 0;
  uint32_t crc = 0;
  uint64_t compressed = 0;
  uint64_t size = 0;
  uint64_t local_offset = 0;
};

struct Directory {
  uint64_t offset = 0;
  uint64_t count = 0;
};

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes) {
  if (bytes.size() < 22) return Malformed("it is too short");
  const size_t lowest = bytes.size() - std::min<size_t>(bytes.size(), 22 + 65535);
  for (size_t at = bytes.size() - 22 + 1; at-- > lowest;) {
    if (At<uint32_t>(bytes, at) != kEndOfDirectory) continue;
    Directory directory{At<uint32_t>(bytes, at + 16), At<uint16_t>(bytes, at + 10)};
    if (at >= 20 && At<uint32_t>(bytes, at - 20) == kZip64Locator) {
      const uint64_t end = At<uint64_t>(bytes, at - 20 + 8);
      if (end > bytes.size() - 56 || bytes.size() < 56 || At<uint32_t>(bytes, end) != kZip64End) {
        return Malformed("its ZIP64 directory is damaged");
      }
      directory = {At<uint64_t>(bytes, end + 48), At<uint64_t>(bytes, end + 32)};
    }
    return directory;
  }
  return Malformed("it has no ZIP directory");
}

// Sizes beyond 32 bits are in the ZIP64 extra field, in this order, only those that overflow.
void ReadZip64(absl::string_view extra, Entry& entry) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const uint16_t id = At<uint16_t>(extra, at);
    const size_t size = At<uint16_t>(extra, at + 2);
    if (at + 4 + size > extra.size()) return;
    if (id == 1) {
      size_t from = at + 4;
      for (uint64_t* field : {&entry.size, &entry.compressed, &entry.local_offset}) {
        if (*field != 0xffffffffu || from + 8 > at + 4 + size) continue;
        *field = At<uint64_t>(extra, from);
        from += 8;
      }
    }
    at += 4 + size;
  }
}

absl::StatusOr<std::vector<Entry>> ReadDirectory(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  std::vector<Entry> entries;
  uint64_t at = directory.offset;
  if (directory.count > 10000) return Malformed("it has too many members");
  for (uint64_t i = 0; i < directory.count; ++i) {
    if (at > bytes.size() || bytes.size() - at < 46 || At<uint32_t>(bytes, at) != kCentralHeader) {
      return Malformed("its directory is damaged");
    }
    Entry entry;
    const uint16_t flags = At<uint16_t>(bytes, at + 8);
    entry.method = At<uint16_t>(bytes, at + 10);
    entry.crc = At<uint32_t>(bytes, at + 16);
    entry.compressed = At<uint32_t>(bytes, at + 20);
    entry.size = At<uint32_t>(bytes, at + 24);
    const uint64_t name_size = At<uint16_t>(bytes, at + 28);
    const uint64_t extra_size = At<uint16_t>(bytes, at + 30);
    const uint64_t comment_size = At<uint16_t>(bytes, at + 32);
    entry.local_offset = At<uint32_t>(bytes, at + 42);
    if (bytes.size() - at - 46 < name_size + extra_size + comment_size) {
      return Malformed("its directory is cut short");
    }
    if ((flags & 1) != 0) return Malformed("it is encrypted");
    entry.name = std::string(bytes.substr(at + 46, name_size));
    ReadZip64(bytes.substr(at + 46 + name_size, extra_size), entry);
    at += 46 + name_size + extra_size + comment_size;
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::StatusOr<std::string> Inflate(absl::string_view data, uint64_t size) {
  std::string result(size, '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return absl::InternalError("zlib does not start");
  uint64_t taken = 0;
  uint64_t given = 0;
  int code = Z_OK;
  constexpr uint64_t kChunk = 1 << 30;
  while (code == Z_OK) {
    const uint64_t in = std::min<uint64_t>(data.size() - taken, kChunk);
    const uint64_t out = std::min<uint64_t>(size - given, kChunk);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data() + taken));
    stream.avail_in = static_cast<uInt>(in);
    // One spare byte shows data that is longer than its directory says.
    char spare = 0;
    stream.next_out = out > 0 ? reinterpret_cast<Bytef*>(result.data() + given)
                              : reinterpret_cast<Bytef*>(&spare);
    stream.avail_out = out > 0 ? static_cast<uInt>(out) : 1;
    code = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    if (out > 0) {
      given += out - stream.avail_out;
    } else if (stream.avail_out == 0) {
      code = Z_DATA_ERROR;
    }
    if (code == Z_OK && in == stream.avail_in && out > 0 && stream.avail_out == out) {
      code = Z_BUF_ERROR;
    }
  }
  inflateEnd(&stream);
  if (code != Z_STREAM_END || given != size) {
    return absl::DataLossError("its compressed data is damaged");
  }
  return result;
}

absl::StatusOr<std::string> ReadMember(absl::string_view bytes, const Entry& entry) {
  const uint64_t at = entry.local_offset;
  if (at > bytes.size() || bytes.size() - at < 30 || At<uint32_t>(bytes, at) != kLocalHeader) {
    return absl::DataLossError("its data is not where the directory says");
  }
  const uint64_t start =
      at + 30 + At<uint16_t>(bytes, at + 26) + uint64_t{At<uint16_t>(bytes, at + 28)};
  if (start > bytes.size() || bytes.size() - start < entry.compressed) {
    return absl::DataLossError("its data is cut short");
  }
  const absl::string_view data = bytes.substr(start, entry.compressed);
  std::string result;
  if (entry.method == 0) {
    if (entry.size != entry.compressed) return absl::DataLossError("its sizes do not agree");
    result = std::string(data);
  } else if (entry.method == 8) {
    // Deflate cannot shrink by more than about 1032 : 1: refuse before allocating.
    if (entry.size / 1040 > entry.compressed) return absl::DataLossError("its size is impossible");
    ASSIGN_OR_RETURN(result, Inflate(data, entry.size));
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("it is compressed by method ", entry.method, ", not deflate"));
  }
  uLong crc = crc32_z(0, reinterpret_cast<const Bytef*>(result.data()), result.size());
  if (crc != entry.crc) return absl::DataLossError("its checksum does not match");
  return result;
}

// The text between `key`: ... and the end of its value, of a Python dict literal.
absl::StatusOr<std::string> HeaderField(absl::string_view header, absl::string_view key) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = absl::StrCat(std::string(1, quote), key, std::string(1, quote));
    const size_t at = header.find(quoted);
    if (at == absl::string_view::npos) continue;
    absl::string_view rest = header.substr(at + quoted.size());
    rest = absl::StripLeadingAsciiWhitespace(rest);
    if (!absl::ConsumePrefix(&rest, ":")) break;
    rest = absl::StripLeadingAsciiWhitespace(rest);
    const size_t end = absl::StartsWith(rest, "(")   ? rest.find(')')
                       : absl::StartsWith(rest, "[") ? rest.find(']')
                                                     : rest.find_first_of(",}");
    if (end == absl::string_view::npos) break;
    return std::string(absl::StripAsciiWhitespace(rest.substr(0, end)));
  }
  return absl::InvalidArgumentError(absl::StrCat("its header has no ", key));
}

absl::StatusOr<std::vector<int64_t>> ParseShape(absl::string_view text) {
  std::vector<int64_t> shape;
  if (!absl::ConsumePrefix(&text, "(")) {
    return absl::InvalidArgumentError("its header has no shape");
  }
  int64_t count = 1;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty()) continue;
    int64_t extent = 0;
    if (!absl::SimpleAtoi(part, &extent) || extent < 0 ||
        (extent > 0 && count > (int64_t{1} << 40) / extent)) {
      return absl::InvalidArgumentError("its shape is impossible");
    }
    count *= std::max<int64_t>(extent, 1);
    shape.push_back(extent);
  }
  return shape;
}

// Bytes of one element; 0 for types that are not supported.
int64_t ElementBytes(absl::string_view type) {
  for (const char* known :
       {"<f2", "<f4", "<f8", "|u1", "|i1", "|b1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"}) {
    if (type == known) return known[2] - '0';
  }
  int64_t size = 0;
  if (type.size() > 2 && (absl::StartsWith(type, "|S") || absl::StartsWith(type, "<U")) &&
      absl::SimpleAtoi(type.substr(2), &size) && size >= 0 && size <= 65536) {
    return std::max<int64_t>(1, size) * (type[0] == '<' ? 4 : 1);
  }
  return 0;
}

template <typename Stored, typename Result>
void Append(const std::string& bytes, std::vector<Result>& values) {
  values.resize(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<Result>(At<Stored>(bytes, i * sizeof(Stored)));
  }
}

template <typename Result>
absl::Status Convert(const NpyArray& array, std::vector<Result>& values) {
  const std::string& type = array.type;
  if (type == "<f4") {
    Append<float>(array.bytes, values);
  } else if (type == "<f8") {
    Append<double>(array.bytes, values);
  } else if (type == "|u1" || type == "|b1") {
    Append<uint8_t>(array.bytes, values);
  } else if (type == "|i1") {
    Append<int8_t>(array.bytes, values);
  } else if (type == "<i2") {
    Append<int16_t>(array.bytes, values);
  } else if (type == "<u2") {
    Append<uint16_t>(array.bytes, values);
  } else if (type == "<i4") {
    Append<int32_t>(array.bytes, values);
  } else if (type == "<u4") {
    Append<uint32_t>(array.bytes, values);
  } else if (type == "<i8") {
    Append<int64_t>(array.bytes, values);
  } else if (type == "<u8") {
    Append<uint64_t>(array.bytes, values);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("its type \"", type, "\" is no number"));
  }
  return absl::OkStatus();
}

}  // namespace

int64_t NpyArray::ElementCount() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

absl::StatusOr<std::vector<float>> NpyArray::ToFloats() const {
  std::vector<float> values;
  if (type == "<f2") {
    values.resize(bytes.size() / 2);
    for (size_t i = 0; i < values.size(); ++i) values[i] = HalfToFloat(At<uint16_t>(bytes, 2 * i));
    return values;
  }
  RETURN_IF_ERROR(Convert(*this, values));
  return values;
}

absl::StatusOr<std::vector<int64_t>> NpyArray::ToIntegers() const {
  std::vector<int64_t> integers;
  if (type != "<f2" && type != "<f4" && type != "<f8") {
    RETURN_IF_ERROR(Convert(*this, integers));
    return integers;
  }
  ASSIGN_OR_RETURN(const std::vector<float> floats, ToFloats());
  for (float value : floats) {
    if (!(std::abs(value) < 1e9f) || value != std::floor(value)) {
      return absl::InvalidArgumentError(absl::StrCat("it holds ", value, ", no whole number"));
    }
    integers.push_back(static_cast<int64_t>(value));
  }
  return integers;
}

absl::StatusOr<std::vector<std::string>> NpyArray::ToStrings() const {
  if (!absl::StartsWith(type, "|S") && !absl::StartsWith(type, "<U")) {
    return absl::InvalidArgumentError(absl::StrCat("its type \"", type, "\" is no text"));
  }
  const size_t width = static_cast<size_t>(ElementBytes(type));
  std::vector<std::string> strings;
  for (size_t at = 0; at + width <= bytes.size(); at += width) {
    std::string text;
    for (size_t i = 0; i < width; i += type[0] == '<' ? 4 : 1) {
      const unsigned char c = static_cast<unsigned char>(bytes[at + i]);
      if (c == 0) break;
      text.push_back(c < 0x20 || c > 0x7e ? '?' : static_cast<char>(c));
    }
    strings.push_back(std::move(text));
  }
  return strings;
}

absl::StatusOr<NpyArray> ParseNpy(absl::string_view bytes) {
  if (bytes.size() < 12 || bytes.substr(0, 6) != absl::string_view("\x93NUMPY", 6)) {
    return absl::InvalidArgumentError("it is no NumPy array");
  }
  const bool wide = bytes[6] >= 2;
  const uint64_t header_size = wide ? At<uint32_t>(bytes, 8) : At<uint16_t>(bytes, 8);
  const uint64_t start = wide ? 12 : 10;
  if (header_size > bytes.size() - start || header_size > 65536) {
    return absl::DataLossError("its header is cut short");
  }
  const absl::string_view header = bytes.substr(start, header_size);
  NpyArray array;
  ASSIGN_OR_RETURN(const std::string type, HeaderField(header, "descr"));
  ASSIGN_OR_RETURN(const std::string order, HeaderField(header, "fortran_order"));
  ASSIGN_OR_RETURN(const std::string shape, HeaderField(header, "shape"));
  ASSIGN_OR_RETURN(array.shape, ParseShape(shape));
  array.type = type;
  array.type.erase(std::remove_if(array.type.begin(), array.type.end(),
                                  [](char c) { return c == '\'' || c == '"'; }),
                   array.type.end());
  const int64_t element_bytes = ElementBytes(array.type);
  if (element_bytes == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("its type ", type, " is not supported; save it as float32 or integers"));
  }
  if (order != "False" && array.shape.size() > 1) {
    return absl::InvalidArgumentError(
        "it is in Fortran order; save numpy.ascontiguousarray(array)");
  }
  array.bytes = std::string(bytes.substr(start + header_size));
  const int64_t expected = array.ElementCount() * element_bytes;
  if (static_cast<int64_t>(array.bytes.size()) < expected) {
    return absl::DataLossError(
        absl::StrCat("it has ", array.bytes.size(), " bytes of data, its shape wants ", expected));
  }
  array.bytes.resize(static_cast<size_t>(expected));
  return array;
}

absl::StatusOr<std::map<std::string, NpyArray>> ParseNpz(absl::string_view bytes,
                                                         int64_t max_bytes) {
  ASSIGN_OR_RETURN(const std::vector<Entry> entries, ReadDirectory(bytes));
  std::map<std::string, NpyArray> arrays;
  uint64_t total = 0;
  for (const Entry& entry : entries) {
    const std::string name(absl::StripSuffix(entry.name, ".npy"));
    const std::string where = absl::StrCat("array \"", name, "\"");
    if (entry.size > static_cast<uint64_t>(max_bytes) ||
        (total += entry.size) > static_cast<uint64_t>(max_bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": the arrays have more than ", max_bytes, " bytes"));
    }
    ASSIGN_OR_RETURN_WITH(const std::string member, ReadMember(bytes, entry), where);
    ASSIGN_OR_RETURN_WITH(arrays[name], ParseNpy(member), where);
  }
  return arrays;
}

namespace {

template <typename Number>
void Put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

std::string NpyBytes(const NpyArray& array) {
  std::string shape;
  for (int64_t extent : array.shape) absl::StrAppend(&shape, extent, ",");
  std::string header = absl::StrCat("{'descr': '", array.type,
                                    "', 'fortran_order': False, 'shape': (", shape, "), }");
  while ((header.size() + 11) % 64 != 0) header.push_back(' ');
  header.push_back('\n');
  std::string bytes("\x93NUMPY\x01\x00", 8);
  Put(bytes, static_cast<uint16_t>(header.size()));
  return bytes + header + array.bytes;
}

}  // namespace

std::string WriteNpz(const std::map<std::string, NpyArray>& arrays) {
  std::string out;
  std::string directory;
  for (const auto& [name, array] : arrays) {
    const std::string data = NpyBytes(array);
    const std::string file = name + ".npy";
    std::string common;  // shared by the local and the central header
    Put<uint16_t>(common, 20);
    Put<uint32_t>(common, 0);           // flags, method: stored
    Put<uint32_t>(common, 0x00210000);  // 1980-01-01
    Put<uint32_t>(common, static_cast<uint32_t>(crc32_z(
                              0, reinterpret_cast<const Bytef*>(data.data()), data.size())));
    Put<uint32_t>(common, static_cast<uint32_t>(data.size()));
    Put<uint32_t>(common, static_cast<uint32_t>(data.size()));
    Put<uint16_t>(common, static_cast<uint16_t>(file.size()));
    Put<uint16_t>(common, 0);
    const uint32_t offset = static_cast<uint32_t>(out.size());
    Put(out, kLocalHeader);
    out += common + file + data;
    Put(directory, kCentralHeader);
    Put<uint16_t>(directory, 20);
    directory += common;
    directory.append(10, '\0');
    Put(directory, offset);
    directory += file;
  }
  const uint32_t start = static_cast<uint32_t>(out.size());
  out += directory;
  Put(out, kEndOfDirectory);
  Put<uint32_t>(out, 0);
  Put<uint16_t>(out, static_cast<uint16_t>(arrays.size()));
  Put<uint16_t>(out, static_cast<uint16_t>(arrays.size()));
  Put<uint32_t>(out, static_cast<uint32_t>(directory.size()));
  Put<uint32_t>(out, start);
  Put<uint16_t>(out, 0);
  return out;
}

}  // namespace dovetail::nn
