create table t1 (a int not null, b bigint, c varchar(20), d decimal(10, 2), dt date, ts datetime, f float, g double, bo boolean, j json);
create table t2 (a int, b bigint not null, x varchar(20), y decimal(15, 2));
create table n (id int, arr array<int>, arr2 array<array<int>>, m map<varchar(10), int>, s struct<x int, y struct<z varchar(5)>>, hl hll, bm bitmap);
create table other.t3 (k int, v int);
create view v1 (k, total) as select a, sum(b) from t1 group by a;
create table g1 (a int, b int, c int as a + b);
create table pk (id int, v int, w varchar(10) default 'd') primary key (id);
