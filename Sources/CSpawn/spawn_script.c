#include "spawn_script.h"
