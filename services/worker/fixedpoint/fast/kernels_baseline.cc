// The kernels for one instruction set; see kernels.inc and the flags in CMakeLists.txt.
#define DOVETAIL_KERNELS_FUNCTION BaselineKernels
#define DOVETAIL_KERNELS_NAME "baseline"
#include "services/worker/fixedpoint/fast/kernels.inc"
