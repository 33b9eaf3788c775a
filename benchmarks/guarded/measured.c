/* What callgrind counts: the instructions of one action, and nothing else (valgrind --instr-atstart=no). */
#include <valgrind/callgrind.h>

void measured(void (*action)(void))
{
    CALLGRIND_START_INSTRUMENTATION;
    action();
    CALLGRIND_STOP_INSTRUMENTATION;
    CALLGRIND_DUMP_STATS;
    CALLGRIND_ZERO_STATS;
}
