#include "services/worker/nn/dataset.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/layer_shapes.h"

namespace dovetail::nn {
namespace {

constexpr absl::string_view kMagic = "DOVETDS1";
constexpr int64_t kAlignment = 64;
constexpr int64_t kPrefixBytes = 16;
constexpr int64_t kMaxCount = int64_t{1} << 40;

int64_t Align(int64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

absl::Status NotADataset(const std::string& file, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(file, " is not a prepared dataset (", why,
                                                 "); the check_dataset task makes one of an .npz"));
}

// Unmaps when it goes.
class Mapping {
 public:
  Mapping(const char* data, int64_t size) : data_(data), size_(size) {}
  ~Mapping() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), static_cast<size_t>(size_));
  }
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&&) = delete;
  const char* data() const { return data_; }
  int64_t size() const { return size_; }

 private:
  const char* data_;
  int64_t size_;
};

absl::StatusOr<Mapping> MapFile(const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return absl::NotFoundError(absl::StrCat("cannot open ", file, ": ", std::strerror(errno)));
  }
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_size < kPrefixBytes) {
    close(descriptor);
    return NotADataset(file, "too short or no regular file");
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  const int error = errno;
  close(descriptor);
  if (data == MAP_FAILED) {
    return absl::InternalError(absl::StrCat("cannot map ", file, ": ", std::strerror(error)));
  }
  return Mapping(static_cast<const char*>(data), status.st_size);
}

// A non-negative integer below kMaxCount, -1 for anything else.
int64_t CountOf(const Value& value) {
  const double number = value.AsNumber();
  if (!value.is_number() || !(number >= 0) || number > static_cast<double>(kMaxCount)) return -1;
  return static_cast<int64_t>(number);
}

std::vector<std::string> StringList(const Value& value) {
  std::vector<std::string> strings;
  for (const Value& one : value.AsList()) strings.push_back(one.AsString());
  return strings;
}

Value StringListValue(const std::vector<std::string>& strings) {
  Value list{Value::List()};
  for (const std::string& one : strings) list.Append(one);
  return list;
}

class MappedDataset : public Dataset {
 public:
  explicit MappedDataset(Mapping mapping) : mapping_(std::move(mapping)) {}

  absl::Status Open(const std::string& file) {
    if (absl::string_view(mapping_.data(), kMagic.size()) != kMagic) {
      return NotADataset(file, "its first bytes say so");
    }
    uint64_t header_size = 0;
    std::memcpy(&header_size, mapping_.data() + kMagic.size(), sizeof(header_size));
    if (header_size > static_cast<uint64_t>(mapping_.size() - kPrefixBytes)) {
      return absl::DataLossError(absl::StrCat(file, " is truncated in its header"));
    }
    const absl::StatusOr<Value> parsed =
        Value::FromJson(absl::string_view(mapping_.data() + kPrefixBytes, header_size));
    if (!parsed.ok()) return NotADataset(file, "its header is no JSON");
    const Value& header = *parsed;
    class_names_ = StringList(header["class_names"]);
    feature_names_ = StringList(header["feature_names"]);
    provenance_ = header["provenance"];
    for (const auto& [name, split] : header["splits"].AsMap()) {
      RETURN_IF_ERROR(AddSplit(file, name, split, IntegerList(header["sample_shape"])));
    }
    return absl::OkStatus();
  }

  int class_count() const override { return static_cast<int>(class_names_.size()); }
  std::vector<std::string> class_names() const override { return class_names_; }
  std::vector<std::string> FeatureNames() const override { return feature_names_; }
  Value Provenance() const override { return provenance_; }

  std::vector<std::string> SplitNames() const override {
    std::vector<std::string> names;
    for (const auto& [name, split] : splits_) names.push_back(name);
    return names;
  }

  absl::StatusOr<Split> Get(const std::string& split_name) const override {
    const auto it = splits_.find(split_name);
    if (it != splits_.end()) return it->second;
    return absl::NotFoundError(absl::StrCat("the dataset has no split \"", split_name,
                                            "\"; it has ", absl::StrJoin(SplitNames(), ", ")));
  }

 private:
  absl::Status AddSplit(const std::string& file, const std::string& name, const Value& header,
                        const Shape& sample_shape) {
    Split split;
    split.sample_shape = sample_shape;
    split.count = CountOf(header["count"]);
    int64_t width = 1;
    for (int64_t extent : sample_shape) {
      if (extent < 1 || extent > kMaxCount || (width *= extent) > (int64_t{1} << 20)) {
        return NotADataset(file, "its sample shape is impossible");
      }
    }
    const int64_t features = CountOf(header["features_offset"]);
    const int64_t labels = CountOf(header["labels_offset"]);
    if (split.count < 0 || features < kPrefixBytes || labels < kPrefixBytes ||
        features % kAlignment != 0 || labels % kAlignment != 0) {
      return NotADataset(file, absl::StrCat("its split \"", name, "\" has impossible numbers"));
    }
    const int64_t float_count = split.count * width;  // below 2^60
    if (float_count > mapping_.size() / 4 || features > mapping_.size() - float_count * 4 ||
        split.count > mapping_.size() / 4 || labels > mapping_.size() - split.count * 4) {
      return absl::DataLossError(
          absl::StrCat(file, " is truncated: its split \"", name, "\" reaches beyond its end"));
    }
    split.features = absl::MakeConstSpan(reinterpret_cast<const float*>(mapping_.data() + features),
                                         static_cast<size_t>(float_count));
    split.labels = absl::MakeConstSpan(reinterpret_cast<const int32_t*>(mapping_.data() + labels),
                                       static_cast<size_t>(split.count));
    for (int32_t label : split.labels) {
      if (label < 0 || label >= class_count()) {
        return NotADataset(file, absl::StrCat("a label of \"", name, "\" is out of range"));
      }
    }
    splits_[name] = split;
    return absl::OkStatus();
  }

  Mapping mapping_;
  std::vector<std::string> class_names_;
  std::vector<std::string> feature_names_;
  Value provenance_;
  std::map<std::string, Split> splits_;
};

absl::Status CheckPrepared(const PreparedDataset& dataset) {
  if (dataset.splits.empty()) return absl::InvalidArgumentError("a dataset without splits");
  const Shape& shape = dataset.splits.begin()->second.sample_shape;
  for (const auto& [name, split] : dataset.splits) {
    const size_t count = static_cast<size_t>(split.count);
    if (split.sample_shape != shape || split.labels.size() != count ||
        split.features.size() != count * static_cast<size_t>(ElementCount(shape))) {
      return absl::InvalidArgumentError(
          absl::StrCat("the sizes of the split \"", name, "\" do not fit together"));
    }
    for (int32_t label : split.labels) {
      if (label < 0 || label >= static_cast<int32_t>(dataset.class_names.size())) {
        return absl::InvalidArgumentError(
            absl::StrCat("the split \"", name, "\" has the label ", label, ", not in 0..",
                         static_cast<int>(dataset.class_names.size()) - 1));
      }
    }
  }
  return absl::OkStatus();
}

// The header for blobs that start at `first_blob`; `end` becomes the file's size.
Value HeaderOf(const PreparedDataset& dataset, int64_t first_blob, int64_t& end) {
  Value header;
  header.Set("class_names", StringListValue(dataset.class_names));
  header.Set("feature_names", StringListValue(dataset.feature_names));
  header.Set("provenance", dataset.provenance);
  header.Set("sample_shape", IntegerListValue(dataset.splits.begin()->second.sample_shape));
  Value splits{Value::Map()};
  int64_t offset = first_blob;
  for (const auto& [name, split] : dataset.splits) {
    Value one;
    one.Set("count", split.count).Set("features_offset", offset);
    offset = Align(offset + static_cast<int64_t>(split.features.size()) * 4);
    one.Set("labels_offset", offset);
    offset = Align(offset + split.count * 4);
    splits.Set(name, std::move(one));
  }
  end = offset;
  header.Set("splits", std::move(splits));
  return header;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Map(const std::string& file) {
  ASSIGN_OR_RETURN(Mapping mapping, MapFile(file));
  auto dataset = std::make_unique<MappedDataset>(std::move(mapping));
  RETURN_IF_ERROR(dataset->Open(file));
  return dataset;
}

absl::Status WritePreparedDataset(const PreparedDataset& dataset, const std::string& file) {
  RETURN_IF_ERROR(CheckPrepared(dataset));
  // The header's own length depends on the offsets in it: reserve a bound, pad with spaces.
  int64_t end = 0;
  const int64_t bound = static_cast<int64_t>(HeaderOf(dataset, 0, end).ToJson().size()) +
                        48 * static_cast<int64_t>(dataset.splits.size());
  const int64_t first_blob = Align(kPrefixBytes + bound);
  std::string head = HeaderOf(dataset, first_blob, end).ToJson();
  head.resize(static_cast<size_t>(first_blob - kPrefixBytes), ' ');
  const uint64_t header_size = head.size();
  std::string prefix(kMagic.data(), kMagic.size());
  prefix.append(reinterpret_cast<const char*>(&header_size), sizeof(header_size));

  static constexpr char kZeros[kAlignment] = {};
  std::vector<absl::string_view> pieces = {prefix, head};
  int64_t offset = first_blob;
  const auto put = [&pieces, &offset](const void* data, size_t bytes) {
    pieces.emplace_back(static_cast<const char*>(data), bytes);
    const int64_t next = Align(offset + static_cast<int64_t>(bytes));
    pieces.emplace_back(kZeros, static_cast<size_t>(next - offset - static_cast<int64_t>(bytes)));
    offset = next;
  };
  for (const auto& [name, split] : dataset.splits) {
    put(split.features.data(), split.features.size() * sizeof(float));
    put(split.labels.data(), split.labels.size() * sizeof(int32_t));
  }
  return WriteFileAtomically(file, pieces);
}

}  // namespace dovetail::nn
