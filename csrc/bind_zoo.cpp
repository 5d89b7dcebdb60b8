#include <algorithm>
#include <bit>

#include "bindings.hpp"
#include "error.hpp"
#include "sizes.hpp"
#include "zoo/contexts.hpp"
#include "zoo/latent_coder.hpp"
#include "zoo/mlp.hpp"

namespace recodec {

namespace {

using namespace zoo;

Coding coding_of(int number) {
    if (number < 0 || number > static_cast<int>(Coding::range_adaptive)) {
        throw py::value_error("coding is " + std::to_string(number) + "; it must lie in 0..5");
    }
    return static_cast<Coding>(number);
}

Context context_of(int number) {
    if (number < 0 || number > 1) throw py::value_error("context is " + std::to_string(number) + "; it must be 0 or 1");
    return static_cast<Context>(number);
}

void require_bits(int bits) {
    if (bits < 1 || bits > 8) throw py::value_error("bits is " + std::to_string(bits) + "; it must lie in 1..8");
}

struct Stack {
    std::size_t planes, height, width;
    PlaneSize size() const { return {height, width}; }
};

Stack stack_of(const Array<std::uint8_t>& planes) {
    if (planes.ndim() != 3) throw py::value_error("planes must be planes x height x width");
    const auto side = [&](py::ssize_t axis) { return static_cast<std::size_t>(planes.shape(axis)); };
    return {side(0), side(1), side(2)};
}

template <class Visit>
void each_place(const Stack& stack, const Visit& visit) {
    for (std::size_t p = 0; p < stack.planes; ++p) {
        for (std::size_t y = 0; y < stack.height; ++y) {
            for (std::size_t x = 0; x < stack.width; ++x) visit(p, y, x);
        }
    }
}

py::bytes encode_planes(const Array<std::uint8_t>& symbols, int bits, int coding, int context) {
    const Stack stack = stack_of(symbols);
    require_bits(bits);
    const Coding chosen = coding_of(coding);
    const Context kind = context_of(context);
    const auto values = view(symbols);
    if (std::ranges::any_of(values, [&](std::uint8_t symbol) { return symbol >> bits != 0; })) {
        throw py::value_error("a symbol has more than " + std::to_string(bits) + " bits");
    }
    Bytes data;
    {
        py::gil_scoped_release release;
        std::vector<std::uint8_t> contexts;
        if (uses_contexts(chosen)) {
            contexts.resize(values.size());
            const SymbolPlanes planes{values.data(), stack.height, stack.width};
            std::size_t i = 0;
            each_place(stack, [&](std::size_t p, std::size_t y, std::size_t x) {
                contexts[i++] = static_cast<std::uint8_t>(planes.context(kind, p, y, x));
            });
        }
        data = encode_symbols(values, contexts, bits, chosen);
    }
    return to_bytes(data);
}

Array<std::uint8_t> decode_planes(const py::buffer& data, std::size_t planes, std::size_t height, std::size_t width,
                                  int bits, int coding, int context) {
    const BufferView source(data);
    require_bits(bits);
    const Coding chosen = coding_of(coding);
    const Context kind = context_of(context);
    size_product({planes, height, width});
    Array<std::uint8_t> symbols({planes, height, width});
    std::uint8_t* out = symbols.mutable_data();
    {
        py::gil_scoped_release release;
        const SymbolPlanes decoded{out, height, width};
        with_decoder(source, bits, chosen, [&](auto& decoder) {
            std::size_t i = 0;
            each_place({planes, height, width}, [&](std::size_t p, std::size_t y, std::size_t x) {
                out[i++] = decoder.next(uses_contexts(chosen) ? decoded.context(kind, p, y, x) : 0);
            });
        });
    }
    return symbols;
}

MlpShape shape_of(std::size_t known, bool linear, bool raw) {
    if (known > MlpShape::kMostKnown) throw py::value_error("there are more than 3 planes");
    return {known, linear, raw};
}

Mlp network_of(const MlpShape& shape, const Array<std::int16_t>& weights) {
    require_equal(weights.size(), shape.weights(), "weights");
    return {shape, view(weights)};
}

Array<std::int16_t> examples(const Array<std::uint8_t>& planes, const Array<std::int64_t>& places, bool raw) {
    const Stack stack = stack_of(planes);
    if (planes.size() == 0) throw py::value_error("there are no samples");
    const MlpShape shape = shape_of(stack.planes - 1, false, raw);
    const auto wanted = view(places);
    const auto samples = static_cast<std::int64_t>(stack.size().samples());
    if (!std::ranges::is_sorted(wanted) || (!wanted.empty() && (wanted.front() < 0 || wanted.back() >= samples))) {
        throw py::value_error("places must rise and lie in the plane");
    }
    Array<std::int16_t> found({wanted.size(), shape.inputs() + 1});
    const std::span<std::int16_t> out(found.mutable_data(), static_cast<std::size_t>(found.size()));
    {
        py::gil_scoped_release release;
        mlp_examples(shape, view(planes), stack.size(), wanted, out);
    }
    return found;
}

Array<std::uint8_t> errors(const Array<std::uint8_t>& planes, const Array<std::int16_t>& weights, bool linear,
                           bool raw) {
    const Stack stack = stack_of(planes);
    if (planes.size() == 0) throw py::value_error("there are no samples");
    const MlpShape shape = shape_of(stack.planes - 1, linear, raw);
    const Mlp mlp = network_of(shape, weights);
    Array<std::uint8_t> found({stack.height, stack.width});
    const std::span<std::uint8_t> out(found.mutable_data(), stack.size().samples());
    {
        py::gil_scoped_release release;
        mlp_errors(mlp, shape, view(planes), stack.size(), out);
    }
    return found;
}

Array<std::uint8_t> decode_plane(const py::buffer& data, const Array<std::uint8_t>& known,
                                 const Array<std::int16_t>& weights, bool linear, bool raw, int coding) {
    const BufferView source(data);
    const Stack stack = stack_of(known);
    if (stack.height == 0 || stack.width == 0) throw py::value_error("there are no samples");
    const MlpShape shape = shape_of(stack.planes, linear, raw);
    const Mlp mlp = network_of(shape, weights);
    const Coding chosen = coding_of(coding);
    Array<std::uint8_t> plane({stack.height, stack.width});
    const std::span<std::uint8_t> out(plane.mutable_data(), stack.size().samples());
    {
        py::gil_scoped_release release;
        mlp_decode(mlp, shape, view(known), stack.size(), source, chosen, out);
    }
    return plane;
}

template <class T>
std::vector<T> copied(const Array<T>& array) {
    const auto values = view(array);
    return {values.begin(), values.end()};
}

LatentTables latent_tables(const Array<std::uint8_t>& kinds, const Array<std::int32_t>& limits,
                           const Array<std::uint16_t>& probabilities, bool unbounded, int rate) {
    if (probabilities.ndim() != 3 || probabilities.shape(2) < 2 || probabilities.shape(2) > 256) {
        throw py::value_error("probabilities must be planes x contexts x 2^bits");
    }
    const auto side = [&](py::ssize_t axis) { return static_cast<std::size_t>(probabilities.shape(axis)); };
    const int bits = static_cast<int>(std::bit_width(side(2))) - 1;
    const LatentShape shape{side(0), side(1), bits, unbounded, rate};
    return {shape, copied(kinds), copied(limits), copied(probabilities)};
}

py::bytes encode_with_tables(const LatentTables& tables, const Array<std::int16_t>& latents) {
    if (latents.ndim() != 3) throw py::value_error("latents must be planes x height x width");
    require_equal(latents.shape(0), tables.shape().planes, "latents");
    const LatentSize size{static_cast<std::size_t>(latents.shape(1)), static_cast<std::size_t>(latents.shape(2))};
    Bytes data;
    {
        py::gil_scoped_release release;
        data = encode_latents(tables, view(latents), size);
    }
    return to_bytes(data);
}

Array<std::int16_t> decode_with_tables(const LatentTables& tables, const py::buffer& data, std::size_t height,
                                       std::size_t width) {
    const BufferView source(data);
    size_product({tables.shape().planes, height, width});
    Array<std::int16_t> latents({tables.shape().planes, height, width});
    const std::span<std::int16_t> out(latents.mutable_data(), static_cast<std::size_t>(latents.size()));
    {
        py::gil_scoped_release release;
        decode_latents(tables, source, {height, width}, out);
    }
    return latents;
}

}  // namespace

void bind_zoo(py::module_& m) {
    py::class_<LatentTables>(m, "LatentTables")
        .def(py::init(&latent_tables), py::arg("kinds"), py::arg("limits"), py::arg("probabilities"),
             py::arg("unbounded"), py::arg("rate"))
        .def_property_readonly("planes", [](const LatentTables& tables) { return tables.shape().planes; })
        .def("encode", &encode_with_tables, py::arg("latents"))
        .def("decode", &decode_with_tables, py::arg("data"), py::arg("height"), py::arg("width"));
    m.def("encode_symbols", &encode_planes, py::arg("symbols"), py::arg("bits"), py::arg("coding"),
          py::arg("context") = 0);
    m.def("decode_symbols", &decode_planes, py::arg("data"), py::arg("planes"), py::arg("height"), py::arg("width"),
          py::arg("bits"), py::arg("coding"), py::arg("context") = 0);
    m.def("mlp_weights", [](std::size_t known, bool linear) { return shape_of(known, linear, false).weights(); },
          py::arg("known"), py::arg("linear"));
    m.def("mlp_examples", &examples, py::arg("planes"), py::arg("places"), py::arg("raw"));
    m.def("mlp_errors", &errors, py::arg("planes"), py::arg("weights"), py::arg("linear"), py::arg("raw"));
    m.def("mlp_decode", &decode_plane, py::arg("data"), py::arg("known"), py::arg("weights"), py::arg("linear"),
          py::arg("raw"), py::arg("coding"));
}

}  // namespace recodec
