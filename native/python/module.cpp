// The Python module: arrays in, arrays out, the GIL released while native code works. src/rlscout/_native.pyi is the contract.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "engine/engine.h"
#include "python/bind.h"

namespace nb = nanobind;
using namespace rlscout;
using namespace rlscout::python;

NB_MODULE(RLSCOUT_MODULE, module) {
  nb::set_leak_warnings(false);  // engines live in caches until the process ends
  module.attr("VARIANT") = RLSCOUT_VARIANT;
  module.def("families", &families);
  module.def("engine", &make_engine, nb::arg("game"), nb::arg("scoring") = kDefaultScoring);
  nb::class_<Engine> engine(
      module, "Engine",
      "The rules of one game, its exact solver and its batched search. Positions are packed, "
      "uint64[B, 2 * words]: the stones of\nthe side to move, then the opponent's; moves are squares, -1 a pass. "
      "rlscout/_native.pyi says what each call takes and gives.");
  bind_rules(engine);
  bind_solver(module, engine);
  bind_batched_search(module, engine);
  bind_inference(module);
}
