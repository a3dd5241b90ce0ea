// What each file of this folder adds to the module; an engine is the door to solvers and searches.
#pragma once

#include <nanobind/nanobind.h>

#include "engine/engine.h"

namespace rlscout::python {

void bind_rules(nanobind::class_<Engine>& engine);
void bind_solver(nanobind::module_& module, nanobind::class_<Engine>& engine);
void bind_batched_search(nanobind::module_& module, nanobind::class_<Engine>& engine);
void bind_inference(nanobind::module_& module);

}  // namespace rlscout::python
