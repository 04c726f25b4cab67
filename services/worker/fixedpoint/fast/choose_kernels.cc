#include <cstring>

#include "services/worker/fixedpoint/fast/kernels.h"

namespace dovetail::fixedpoint::fast {
namespace {

bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd");
}

}  // namespace

const Kernels* ChooseKernels(const char* name) {
  const bool any = name == nullptr || name[0] == '\0';
  const auto wanted = [any, name](const char* isa) { return any || std::strcmp(name, isa) == 0; };
  if (wanted("avx512_vnni") && HasAvx512() && __builtin_cpu_supports("avx512vnni")) {
    return &Avx512VnniKernels();
  }
  if (wanted("avx512") && HasAvx512()) return &Avx512Kernels();
  if (wanted("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
    return &Avx2Kernels();
  }
  if (wanted("baseline")) return &BaselineKernels();
  return nullptr;
}

}  // namespace dovetail::fixedpoint::fast
