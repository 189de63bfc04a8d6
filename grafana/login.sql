-- Grafana's login: it reads everything and changes nothing. Run again, it sets the password anew.
\set ON_ERROR_STOP on
\getenv password GRAFANA_DATABASE_PASSWORD
CALL create_analyst('grafana', :'password');
