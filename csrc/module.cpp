// The Python module recodec._core.
#include <pybind11/pybind11.h>

#include <exception>

// Known once any header of the C library has been seen.
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "bindings.hpp"
#include "error.hpp"

using namespace recodec;

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
    m.doc() = "Range coder, entropy coders and container of recodec";
    m.attr("COMPILER") = RECODEC_COMPILER;

    static PyObject* core_error = PyErr_NewException("recodec._core.CoreError", nullptr, nullptr);
    m.add_object("CoreError", py::reinterpret_borrow<py::object>(core_error));
    py::register_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const Error& error) {
            PyErr_SetObject(core_error, py::make_tuple(static_cast<int>(error.code()), error.what()).ptr());
        }
    });

    bind_container(m);
    bind_lossless(m);
    bind_planes(m);
    bind_range_coder(m);
    bind_zoo(m);

    m.def(
        "release_free_memory",
        [] {
#ifdef __GLIBC__
            malloc_trim(0);
#endif
        },
        py::call_guard<py::gil_scoped_release>());
}
