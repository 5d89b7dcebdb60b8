#include "integer_tensors.hpp"

#include <functional>
#include <numeric>

#include "error.hpp"

namespace recodec {

bool is_width(std::size_t width) { return width >= 8 && width <= kMostWidth && width % 8 == 0; }

std::string shape_text(const Shape& shape) {
    std::string result;
    for (const std::size_t size : shape) {
        if (!result.empty()) result += 'x';
        result += std::to_string(size);
    }
    return result;
}

void reject_tensor(const std::string& name, const std::string& what) {
    throw Error(Errc::format, "entropy tensor " + name + " " + what);
}

const IntegerTensor& find_tensor(const IntegerTensors& tensors, const std::string& name) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) reject_tensor(name, "is missing");
    return found->second;
}

const std::vector<std::int32_t>& checked_tensor(const IntegerTensors& tensors, const std::string& name,
                                         const Shape& shape, std::int32_t limit) {
    const IntegerTensor& tensor = find_tensor(tensors, name);
    if (tensor.shape != shape) reject_tensor(name, "has shape " + shape_text(tensor.shape) + "; it must be " + shape_text(shape));
    const std::size_t count = std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
    if (tensor.values.size() != count) reject_tensor(name, "has " + std::to_string(tensor.values.size()) + " values");
    for (const std::int32_t value : tensor.values) {
        if (value < -limit || value > limit) {
            reject_tensor(name, "holds " + std::to_string(value) + "; values must lie in -" + std::to_string(limit) + ".." +
                             std::to_string(limit));
        }
    }
    return tensor.values;
}

void lay_out_matrix(const std::int32_t* matrix, std::size_t inputs, std::size_t outputs, std::int16_t* to) {
    for (std::size_t o = 0; o < outputs; ++o) {
        for (std::size_t i = 0; i < inputs; ++i) {
            to[i / 2 * 2 * outputs + 2 * o + i % 2] = static_cast<std::int16_t>(matrix[o * inputs + i]);
        }
    }
}

}  // namespace recodec
