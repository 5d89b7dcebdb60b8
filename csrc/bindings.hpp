// What all binding files share: buffers in and out. No logic lives in them; the GIL is released for all that takes
// time.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <span>
#include <string>

#include "bytes.hpp"

namespace recodec {

namespace py = pybind11;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

template <typename T>
std::span<const T> view(const Array<T>& array) {
    return {array.data(), static_cast<std::size_t>(array.size())};
}

// A contiguous view of any bytes-like object, valid while the object lives.
class BufferView {
public:
    explicit BufferView(const py::buffer& source) : info_(source.request()) {
        if (info_.itemsize != 1 || info_.ndim != 1 || (info_.size > 1 && info_.strides[0] != 1)) {
            throw py::type_error("expected contiguous bytes, bytearray or memoryview");
        }
    }
    operator ByteView() const {
        return {static_cast<const std::uint8_t*>(info_.ptr), static_cast<std::size_t>(info_.size)};
    }

private:
    py::buffer_info info_;
};

inline py::bytes to_bytes(ByteView data) {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
}

inline void require_equal(py::ssize_t got, std::size_t expected, const char* what) {
    if (static_cast<std::size_t>(got) != expected) {
        throw py::value_error(std::string(what) + " has " + std::to_string(got) + " elements; " +
                              std::to_string(expected) + " are needed");
    }
}

void bind_container(py::module_& m);
void bind_lossless(py::module_& m);
void bind_planes(py::module_& m);
void bind_range_coder(py::module_& m);
void bind_zoo(py::module_& m);

}  // namespace recodec
