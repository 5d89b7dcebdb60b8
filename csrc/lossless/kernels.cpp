#include "kernels.hpp"

#include <string_view>

#include "../dense.hpp"

namespace recodec::lossless {

const Kernels& chosen_kernels() {
    [[maybe_unused]] const std::string_view name = chosen_instructions().name;
#ifdef RECODEC_X86
    // Every processor with VNNI has AVX2.
    if (name != "scalar") return kAvx2Kernels;
#endif
    return kScalarKernels;
}

}  // namespace recodec::lossless
