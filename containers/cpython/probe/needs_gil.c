/* An extension module that does not declare that it can do without the global lock (it has no Py_mod_gil slot): a
 * free-threaded interpreter that imports it switches the lock on again. */
#include <Python.h>

static struct PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "needs_gil", .m_slots = slots,
};

PyMODINIT_FUNC PyInit_needs_gil(void) { return PyModuleDef_Init(&definition); }
