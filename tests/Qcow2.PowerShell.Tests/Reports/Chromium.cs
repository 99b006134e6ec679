using PuppeteerSharp;

namespace Qcow2.PowerShell.Tests.Reports;

/// <summary>The browser of the system, without a window. Nothing is downloaded.</summary>
public static class Chromium
{
    private static readonly string? Program = Find();

    /// <summary>Why tests that need it are skipped; null where it is installed.</summary>
    public static string? SkipReason => Program is null ? "chromium is not on the PATH (package chromium)." : null;

    /// <summary>Starts it.</summary>
    public static Task<IBrowser> StartAsync() => Puppeteer.LaunchAsync(new LaunchOptions
    {
        ExecutablePath = Program!,
        Headless = true,
        // The sandbox of Chromium refuses the superuser, and /dev/shm is small in containers. The page is our own, and its policy is what is tested.
        Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-extensions", "--disable-background-networking", "--no-first-run"],
    });

    private static string? Find()
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, "chromium")).FirstOrDefault(File.Exists);
}
