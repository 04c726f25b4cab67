// The kernels for one instruction set; see kernels.inc and the flags in CMakeLists.txt.
#define DOVETAIL_KERNELS_FUNCTION Avx2Kernels
#define DOVETAIL_KERNELS_NAME "avx2"
#include "services/worker/fixedpoint/fast/kernels.inc"
