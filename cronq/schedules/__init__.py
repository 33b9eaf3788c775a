"""What recurs: said by a source (`schedule`), stored (`spec`, `stored`), fired by the tick and by consumers.

`expression` reads cron expressions, `times` says when one is due. The supervisor fires what is stored
(`supervisor/firing.py`), the app declares it (`app/timetable.py`) and shows it (`app/schedule_status.py`).
"""
