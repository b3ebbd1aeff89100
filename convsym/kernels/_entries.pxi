# The tile drivers that the door calls without Python.

from cpython.pycapsule cimport PyCapsule_New

TILES = {
    "fill_f32": PyCapsule_New(<void*>fill_tiles_f32, "convsym.tiles", NULL),
    "fill_f64": PyCapsule_New(<void*>fill_tiles_f64, "convsym.tiles", NULL),
    "sweep_f32": PyCapsule_New(<void*>sweep_tiles_f32, "convsym.tiles", NULL),
    "sweep_f64": PyCapsule_New(<void*>sweep_tiles_f64, "convsym.tiles", NULL),
    "pointwise_f32": PyCapsule_New(<void*>pointwise_tiles_f32, "convsym.tiles", NULL),
    "pointwise_f64": PyCapsule_New(<void*>pointwise_tiles_f64, "convsym.tiles", NULL),
    "pointwise_dw_f32": PyCapsule_New(<void*>pointwise_dw_tiles_f32, "convsym.tiles", NULL),
    "pointwise_dw_f64": PyCapsule_New(<void*>pointwise_dw_tiles_f64, "convsym.tiles", NULL),
    "panels_f32": PyCapsule_New(<void*>panels_tiles_f32, "convsym.tiles", NULL),
    "panels_f64": PyCapsule_New(<void*>panels_tiles_f64, "convsym.tiles", NULL),
    "panels_dw_f32": PyCapsule_New(<void*>panels_dw_tiles_f32, "convsym.tiles", NULL),
    "panels_dw_f64": PyCapsule_New(<void*>panels_dw_tiles_f64, "convsym.tiles", NULL),
    "depthwise_f32": PyCapsule_New(<void*>depthwise_tiles_f32, "convsym.tiles", NULL),
    "depthwise_f64": PyCapsule_New(<void*>depthwise_tiles_f64, "convsym.tiles", NULL),
    "depthwise_dw_f32": PyCapsule_New(<void*>depthwise_dw_tiles_f32, "convsym.tiles", NULL),
    "depthwise_dw_f64": PyCapsule_New(<void*>depthwise_dw_tiles_f64, "convsym.tiles", NULL),
    "turn_f32": PyCapsule_New(<void*>turn_tiles_f32, "convsym.tiles", NULL),
    "turn_f64": PyCapsule_New(<void*>turn_tiles_f64, "convsym.tiles", NULL),
    "settle_f32": PyCapsule_New(<void*>settle_tiles_f32, "convsym.tiles", NULL),
    "settle_f64": PyCapsule_New(<void*>settle_tiles_f64, "convsym.tiles", NULL),
    "interleave_f32": PyCapsule_New(<void*>interleave_tiles_f32, "convsym.tiles", NULL),
    "interleave_f64": PyCapsule_New(<void*>interleave_tiles_f64, "convsym.tiles", NULL),
    "strips_f32": PyCapsule_New(<void*>strips_tiles_f32, "convsym.tiles", NULL),
    "strips_f64": PyCapsule_New(<void*>strips_tiles_f64, "convsym.tiles", NULL),
    "dot_f32": PyCapsule_New(<void*>dot_tiles_f32, "convsym.tiles", NULL),
    "dot_f64": PyCapsule_New(<void*>dot_tiles_f64, "convsym.tiles", NULL),
}
