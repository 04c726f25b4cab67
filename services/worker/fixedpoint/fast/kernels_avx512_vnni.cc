// The kernels for one instruction set; see kernels.inc and the flags in CMakeLists.txt.
#define DOVETAIL_KERNELS_FUNCTION Avx512VnniKernels
#define DOVETAIL_KERNELS_NAME "avx512_vnni"
#include "services/worker/fixedpoint/fast/kernels.inc"
