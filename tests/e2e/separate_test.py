"""Every service in a process of its own, behind the gateway."""

import unittest

from suite import *


class Separate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.suite = Suite(separate=True)
        cls.addClassCleanup(cls.suite.close)
        cls.suite.wait_healthy()
        cls.position = cls.suite.main_job()
        cls.suite.wait_counted(W2022, records=cls.position.records)

    def test_main_job(self):
        report = self.suite.cleaning_report(W2022)
        self.assertEqual((report.started, report.records, report.complete), (167, 90, 79))

    def test_answers_through_gateway_are_those_of_the_service(self):
        address = self.suite.processes["analytics"].address
        with grpc.insecure_channel(address) as channel:
            direct = analytics_pb2_grpc.AnalyticsServiceStub(channel).Tabulate(analytics_pb2.TabulateRequest(parent=W2022), timeout=TIMEOUT)
        through = self.suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=W2022), timeout=TIMEOUT)
        self.assertEqual(through, direct)

    def test_backend_that_is_down_is_named_and_the_others_go_on(self):
        analytics = self.suite.processes["analytics"]
        analytics.kill()
        with self.assertRaises(grpc.RpcError) as caught:
            self.suite.analytics.Tabulate(analytics_pb2.TabulateRequest(parent=W2022), timeout=TIMEOUT)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
        info, _ = details(caught.exception)
        self.assertEqual((info.reason, info.metadata["service"]), ("BACKEND_UNAVAILABLE", "peiling.analytics.v1.AnalyticsService"))
        self.assertEqual(self.suite.cleaning_report(W2022).records, 90)
        self.wait_for_health("peiling.analytics.v1.AnalyticsService", health_pb2.HealthCheckResponse.NOT_SERVING)
        self.wait_for_health("", health_pb2.HealthCheckResponse.NOT_SERVING)
        self.assertEqual(self.health("peiling.intake.v1.IntakeService"), health_pb2.HealthCheckResponse.SERVING)
        analytics.start()
        self.suite.wait_healthy()
        # Rebuilt from the feed, it says the same again.
        self.assertEqual(self.suite.wait_counted(W2022, records=self.position.records).lines[0].usable, 90)

    def health(self, service):
        return self.suite.health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status

    def wait_for_health(self, service, status):
        deadline = time.monotonic() + 20
        while self.health(service) != status:
            self.assertLess(time.monotonic(), deadline, f"{service} never became {status}")
            time.sleep(0.05)

    def test_sigterm_drains_and_ends_well(self):
        suite = Suite(separate=True)
        suite.wait_healthy()
        self.assertEqual(set(suite.close().values()), {0})


if __name__ == "__main__":
    unittest.main()
