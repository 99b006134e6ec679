using PuppeteerSharp;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Reports;

/// <summary>A report with everything in it, names that mean no good above all, in a real browser. Made once for all tests.</summary>
public sealed class ReportPage : IAsyncLifetime, IDisposable
{
    /// <summary>What whoever makes an image can write where a name goes.</summary>
    public static IReadOnlyList<string> HostileNames { get; } =
    [
        "<script>hit()</script>",
        "<img src=x onerror=hit()>",
        "\"><svg onload=hit()>",
        "' autofocus onfocus='hit()",
        "]]><iframe srcdoc='<script>parent.hit()</script>'>",
        "--><style>*{display:none}</style><!--",
        "</title></style></script></table></bdi><b>bold",
        "javascript:hit()",
        "&lt;script&gt;hit()&lt;/script&gt;&#60;&colon;",
        "name\0with\u001b[31m\u0007controls\r\nand lines",
        "txt.\u202egpj.exe \u2066isolated",
        "half \ud800 of a \udfff character",
        new string('<', 65_535) + "b",
        "{{7*7}} ${7*7} `hit()`",
        "",
    ];

    private readonly ModuleSession _session = new();
    private IBrowser? _browser;

    /// <summary>Address of the report.</summary>
    public string Address => new Uri(_session.File("report.html")).AbsoluteUri;

    public async Task InitializeAsync()
    {
        if (Chromium.SkipReason is not null)
        {
            return;
        }

        Task<IBrowser> started = Chromium.StartAsync();
        _session.With("bit-corrupt", "bit-dirty", "leaks", "luks", "backing-missing", "chain-top", "snapshots", "zstd");
        File.WriteAllText(_session.File("bad.qcow2"), "no image at all");
        SessionResult result = _session.Run(
            "@(Get-ChildItem *.qcow2) + @($args[0]) + @(Get-ChildItem -LiteralPath hostile) | Export-Qcow2Report -DestinationPath report.html -Check -Title $args[1]",
            HostileImages(), HostileNames[0]);
        _browser = await started;
        Assert.Equal(["BackingFileUnavailable", "NotQcow2"], result.ErrorIds.Order());
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }
    }

    public void Dispose() => _session.Dispose();

    /// <summary>Opens the report, and sees to it that nothing is said on the console and nothing else is asked for until the test is over.</summary>
    /// <param name="width">Of the window, in CSS pixels.</param>
    /// <param name="isDark">Whether the reader likes it dark.</param>
    /// <param name="test">The test.</param>
    public async Task Open(int width, bool isDark, Func<IPage, Task> test)
    {
        var said = new List<string>();
        var asked = new List<string>();
        await using IPage page = await _browser!.NewPageAsync();
        page.Console += (_, e) => said.Add(e.Message.Text);
        page.PageError += (_, e) => said.Add(e.Message);
        page.Request += (_, e) => asked.Add(e.Request.Url);
        await page.SetViewportAsync(new ViewPortOptions { Width = width, Height = 900 });
        await page.EmulateMediaFeaturesAsync([new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = isDark ? "dark" : "light" }]);
        await page.GoToAsync(Address);
        if (Environment.GetEnvironmentVariable("QCOW2_REPORT_PICTURES") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(Path.Combine(folder, $"report-{width}-{(isDark ? "dark" : "light")}.png"), new ScreenshotOptions { FullPage = true }); // To be looked at.
        }

        await test(page);
        Assert.Empty(said);
        Assert.Equal([Address], asked);
    }

    /// <summary>Opens the report with nobody looking at its console, for tests that break its rules.</summary>
    public async Task<IPage> OpenUnwatched()
    {
        IPage page = await _browser!.NewPageAsync();
        await page.GoToAsync(Address);
        return page;
    }

    /// <summary>Images that call everything by names that mean no good: files where the host lets them be called so, else what objects say.</summary>
    private Qcow2ImageInfo[] HostileImages()
    {
        Directory.CreateDirectory(_session.File("hostile"));
        if (!OperatingSystem.IsWindows())
        {
            foreach (string name in HostileNames.Where(name => name.Length is > 0 and < 200 && name.IndexOfAny(['/', '\0', '\ud800']) < 0))
            {
                File.Copy(_session.File("zstd.qcow2"), Path.Combine(_session.File("hostile"), name + ".qcow2"));
            }
        }

        return
        [
            .. HostileNames.Select((name, index) => new Qcow2ImageInfo
            {
                Path = $"/gone/{index}/{name}",
                Size = 1L << (20 + index),
                FileSize = 1 << 20,
                AllocatedSize = 1L << (19 + index),
                Format = name,
                Subformat = name,
                BackingFile = name,
                ParentPath = $"/{name}",
                BackingFormat = name,
                BackingFileProblem = index % 2 == 0 ? name : null,
                DataFile = name,
                Problems = [name, name],
                Bitmaps = [new Qcow2Bitmap { Name = name }],
                Snapshots =
                [
                    new Qcow2Snapshot { Id = name, Name = name, CreationTime = new DateTime(2026, 1, 1 + index, 0, 0, 0, DateTimeKind.Utc), DiskSize = 1 << 20, VmStateSize = index << 20 },
                    new Qcow2Snapshot { Id = "2", Name = name, CreationTime = new DateTime(2026, 2, 1, 0, 0, 0, DateTimeKind.Utc), DiskSize = long.MaxValue, Problem = name },
                ],
            }),
        ];
    }
}
