// The kernels for one instruction set; see kernels.inc and the flags in CMakeLists.txt.
#define DOVETAIL_KERNELS_FUNCTION Avx512Kernels
#define DOVETAIL_KERNELS_NAME "avx512"
#include "services/worker/fixedpoint/fast/kernels.inc"
