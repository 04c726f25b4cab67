// The artifact form of a network: proto/dovetail/v1/network.proto, serialised deterministically.
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "dovetail/v1/network.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/stubs/logging.h"
#include "services/worker/nn/atomic_file.h"
#include "services/worker/nn/layer_shapes.h"
#include "services/worker/nn/network.h"

namespace dovetail::nn {
namespace {

constexpr int kFormat = 1;

void PutTensor(const Tensor& tensor, v1::NetworkTensor& message) {
  for (int64_t extent : tensor.shape) message.add_shape(extent);
  message.set_values(tensor.values.data(), tensor.values.size() * sizeof(float));
}

void PutType(const TensorType& type, v1::NetworkType& message) {
  message.set_type(FixedTypeToText(type.type));
  if (type.elements.empty()) return;
  std::map<std::string, int> index;
  std::vector<std::string> texts;
  for (const FixedType& element : type.elements) texts.push_back(FixedTypeToText(element));
  for (const std::string& text : texts) {
    if (index.emplace(text, index.size()).second) message.add_palette(text);
  }
  const size_t width = message.palette_size() <= 256 ? 1 : 4;
  for (const std::string& text : texts) {
    const uint32_t position = static_cast<uint32_t>(index[text]);
    message.mutable_elements()->append(reinterpret_cast<const char*>(&position), width);
  }
}

void PutLayer(const Layer& layer, v1::NetworkLayer& message) {
  message.set_name(layer.name);
  message.set_op(std::string(OpName(layer.op)));
  for (const std::string& input : layer.inputs) message.add_inputs(input);
  for (int64_t extent : layer.output_shape) message.add_output_shape(extent);
  if (!layer.attributes.is_null()) message.set_attributes_json(layer.attributes.ToJson());
  for (const auto& [name, tensor] : layer.parameters) {
    v1::NetworkNamedTensor& named = *message.add_parameters();
    named.set_name(name);
    PutTensor(tensor, *named.mutable_tensor());
  }
  for (const auto& [name, tensor] : layer.masks) {
    v1::NetworkNamedTensor& named = *message.add_masks();
    named.set_name(name);
    PutTensor(tensor, *named.mutable_tensor());
  }
  for (const auto& [name, type] : layer.types) {
    v1::NetworkNamedType& named = *message.add_types();
    named.set_name(name);
    PutType(type, *named.mutable_type());
  }
}

absl::StatusOr<Tensor> TakeTensor(const v1::NetworkTensor& message) {
  Tensor tensor;
  tensor.shape.assign(message.shape().begin(), message.shape().end());
  if (message.values().size() % sizeof(float) != 0) {
    return absl::InvalidArgumentError("a tensor is cut in the middle of a number");
  }
  tensor.values.resize(message.values().size() / sizeof(float));
  if (!tensor.values.empty()) {
    std::memcpy(tensor.values.data(), message.values().data(), message.values().size());
  }
  return tensor;
}

absl::StatusOr<TensorType> TakeType(const v1::NetworkType& message) {
  TensorType type;
  ASSIGN_OR_RETURN(type.type, ParseFixedType(message.type()));
  std::vector<FixedType> palette;
  for (const std::string& text : message.palette()) {
    ASSIGN_OR_RETURN(FixedType one, ParseFixedType(text));
    palette.push_back(one);
  }
  const size_t width = palette.size() <= 256 ? 1 : 4;
  for (size_t i = 0; i + width <= message.elements().size(); i += width) {
    uint32_t position = 0;
    std::memcpy(&position, message.elements().data() + i, width);
    if (position >= palette.size()) {
      return absl::InvalidArgumentError("an element's type is not in the palette");
    }
    type.elements.push_back(palette[position]);
  }
  return type;
}

absl::StatusOr<Layer> TakeLayer(const v1::NetworkLayer& message) {
  Layer layer;
  layer.name = message.name();
  ASSIGN_OR_RETURN(layer.op, ParseOp(message.op()));
  layer.inputs.assign(message.inputs().begin(), message.inputs().end());
  layer.output_shape.assign(message.output_shape().begin(), message.output_shape().end());
  if (!message.attributes_json().empty()) {
    ASSIGN_OR_RETURN(layer.attributes, Value::FromJson(message.attributes_json()));
  }
  for (const v1::NetworkNamedTensor& named : message.parameters()) {
    ASSIGN_OR_RETURN(layer.parameters[named.name()], TakeTensor(named.tensor()));
  }
  for (const v1::NetworkNamedTensor& named : message.masks()) {
    ASSIGN_OR_RETURN(layer.masks[named.name()], TakeTensor(named.tensor()));
  }
  for (const v1::NetworkNamedType& named : message.types()) {
    ASSIGN_OR_RETURN(layer.types[named.name()], TakeType(named.type()));
  }
  return layer;
}

}  // namespace

std::string SerializeNetwork(const Network& network) {
  v1::NetworkFile file;
  file.set_format(kFormat);
  file.set_name(network.name);
  for (const Layer& layer : network.layers) PutLayer(layer, *file.add_layers());
  for (const std::string& output : network.outputs) file.add_outputs(output);
  if (!network.provenance.is_null()) file.set_provenance_json(network.provenance.ToJson());
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  file.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

absl::StatusOr<Network> ParseNetwork(absl::string_view bytes) {
  const google::protobuf::LogSilencer silencer;  // the error is returned, not printed
  v1::NetworkFile file;
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !file.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      file.format() != kFormat) {
    return absl::InvalidArgumentError(
        "not a network file; `dovetail-worker run describe` makes one of an ONNX file");
  }
  Network network;
  network.name = file.name();
  for (const v1::NetworkLayer& message : file.layers()) {
    ASSIGN_OR_RETURN_WITH(Layer layer, TakeLayer(message),
                          absl::StrCat("layer \"", message.name(), "\""));
    network.layers.push_back(std::move(layer));
  }
  network.outputs.assign(file.outputs().begin(), file.outputs().end());
  if (!file.provenance_json().empty()) {
    ASSIGN_OR_RETURN(network.provenance, Value::FromJson(file.provenance_json()));
  }
  RETURN_IF_ERROR(Check(network));
  return network;
}

absl::StatusOr<Network> ReadNetworkFile(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(file));
  ASSIGN_OR_RETURN_WITH(Network network, ParseNetwork(bytes), file);
  return network;
}

absl::Status WriteNetworkFile(const Network& network, const std::string& file) {
  return WriteFileAtomically(file, {SerializeNetwork(network)});
}

}  // namespace dovetail::nn
