// `rlscout._cpu`: which processor variants this machine can run. Plain CPython stable ABI, compiled without any
// processor flag, so that it loads where the variants themselves would not.

#include <Python.h>

#include <initializer_list>

namespace {

#if defined(__x86_64__)

bool runs(int level) {
  __builtin_cpu_init();
  // The features of the psABI levels that compilers can ask for by name; a processor with these has the rest.
  const bool v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return level == 2 ? v2 : level == 3 ? v3 : v4;
}

PyObject* supported_variants(PyObject*, PyObject*) {
  PyObject* names = PyList_New(0);
  if (names == nullptr) return nullptr;
  for (int level : {4, 3, 2}) {
    if (!runs(level)) continue;
    PyObject* name = PyUnicode_FromFormat("v%d", level);
    const bool appended = name != nullptr && PyList_Append(names, name) == 0;
    Py_XDECREF(name);
    if (!appended) {
      Py_DECREF(names);
      return nullptr;
    }
  }
  return names;
}

#else

PyObject* supported_variants(PyObject*, PyObject*) { return Py_BuildValue("[s]", "generic"); }

#endif

PyMethodDef methods[] = {
    {"supported_variants", supported_variants, METH_NOARGS,
     "Names of the variants this processor can run, best first."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    "_cpu",
    "Which processor variants this machine can run.",
    0,
    methods,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

}  // namespace

PyMODINIT_FUNC PyInit__cpu() { return PyModule_Create(&module); }
