"""Opens pages in headless Chromium, without network, at the size of a desk or of a phone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webdriver import WebDriver

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
DESK, PHONE = (1280, 900), (390, 844)
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}


@contextmanager
def opened(page: Path, size: tuple[int, int]) -> Iterator[WebDriver]:
    """Open ``page`` in a window of ``size`` pixels."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", OFFLINE)
        _resize(driver, *size)
        driver.get(page.as_uri())
        yield driver
    finally:
        driver.quit()


def messages(driver: WebDriver) -> list[dict[str, Any]]:
    """Return what the page wrote to the console."""
    return driver.get_log("browser")  # type: ignore[no-untyped-call,no-any-return]


def picture(driver: WebDriver, path: Path, size: tuple[int, int]) -> Path:
    """Save the whole page, not only what the window shows."""
    height = driver.execute_script("return document.documentElement.scrollHeight")
    _resize(driver, size[0], min(int(height), 12000))
    driver.save_screenshot(str(path))
    return path


def _resize(driver: WebDriver, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
