using System.Management.Automation;
using System.Security.Cryptography;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>-Uri of the cmdlets that read images.</summary>
public sealed class WebTests : IClassFixture<ModuleSession>, IDisposable
{
    private const string Overlay = "sub-overlay";

    private readonly ModuleSession _session;
    private readonly HttpTestServer _server;

    public WebTests(ModuleSession session)
    {
        _session = session;
        foreach (string file in Directory.GetFiles(session.Folder.Path))
        {
            File.Delete(file);
        }

        _session.With("snapshots", Overlay);
        _server = new HttpTestServer(File.ReadAllBytes(_session.File("snapshots.qcow2")));
    }

    public void Dispose()
    {
        _server.Dispose();
    }

    private string Url(string target = "/images/snapshots.qcow2") => $"'{_server.Address(target)}'";

    /// <summary>A proxy that a machine has for the world does not reach a server in this process.</summary>
    private static string Direct(string script) => script.Contains("-NoProxy", StringComparison.Ordinal) || script.Contains("-Proxy", StringComparison.Ordinal) ? script : script.Replace("-Uri ", "-NoProxy -Uri ", StringComparison.Ordinal);

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(Direct(script));
        Assert.Empty(result.Errors);
        return result;
    }

    private ErrorRecord Fails(string script)
    {
        try
        {
            return Assert.Single(_session.Run(Direct(script)).Errors);
        }
        catch (RuntimeException e)
        {
            return e.ErrorRecord;
        }
    }

    [Fact]
    public void Says_what_an_image_is_and_what_that_took()
    {
        SessionResult result = Ok($"Get-Qcow2Image -Uri {Url("/images/snapshots.qcow2?sig=secret")} -Verbose");
        Qcow2ImageInfo here = Assert.Single(Ok("Get-Qcow2Image snapshots.qcow2").Of<Qcow2ImageInfo>());
        Qcow2ImageInfo there = Assert.Single(result.Of<Qcow2ImageInfo>());
        Assert.Equal($"{_server.Address("/images/snapshots.qcow2")}?...", there.Path);
        Assert.Equal((here.Size, here.FileSize, here.FileSize, "qcow2", here.Snapshots.Length), (there.Size, there.FileSize, there.AllocatedSize, there.Format, there.Snapshots.Length));
        Assert.Contains(result.Verbose, line => line.StartsWith($"{there.Path}: ", StringComparison.Ordinal) && line.Contains(" requests brought ", StringComparison.Ordinal));
        Assert.DoesNotContain("secret", string.Concat(result.Verbose), StringComparison.Ordinal);
    }

    [Fact]
    public void Shows_where_an_image_lies()
    {
        string shown = _session.Show($"Get-Qcow2Image -NoProxy -Uri {Url("/images/snapshots.qcow2?sig=secret")}");
        Assert.Contains($"Directory: http://127.0.0.1:{_server.Port}/images", shown, StringComparison.Ordinal);
        Assert.Contains(" snapshots.qcow2?...", shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Test-Qcow2Image {0} | Select-Object IsHealthy, Corruptions, AllocatedClusters, EndOffset")]
    [InlineData("Test-Qcow2Image {0} -Quiet")]
    [InlineData("Measure-Qcow2Image {0}| Select-Object RequiredBytes, FullyAllocatedBytes")]
    [InlineData("[BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash((Read-Qcow2Image {0} -Offset 1000 -Count 1MB)))")]
    [InlineData("Compare-Qcow2Image {0} -DifferencePath snapshots.qcow2 | Select-Object AreEqual")]
    [InlineData("Get-Qcow2Extent {0} | Select-Object Offset, Length, Kind, HostOffset, Depth")]
    [InlineData("Get-Qcow2Extent {0} -SnapshotName first -ErrorAction SilentlyContinue | Select-Object Offset, Length, Kind, HostOffset, Depth")]
    [InlineData("@(Get-Qcow2Partition {0} -WarningAction SilentlyContinue).Count")]
    [InlineData("(Show-Qcow2Image {0} -Ascii -Width 80).Rows.Signs")]
    [InlineData("Convert-Qcow2Image {0} -DestinationPath out.raw -Force; (Get-FileHash out.raw).Hash")]
    [InlineData("Convert-Qcow2Image {0} -DestinationPath out.vhdx -Force; (Compare-Qcow2Image snapshots.qcow2 out.vhdx).AreEqual")]
    public void Does_the_same_as_with_a_file(string command)
    {
        string json = " | ConvertTo-Json -Compress -Depth 3";
        string here = string.Concat(Ok($"& {{ {string.Format(null, command, "-Path snapshots.qcow2")} }}{json}").Output);
        string there = string.Concat(Ok($"& {{ {string.Format(null, command, $"-Uri {Url()}")} }}{json}").Output);
        Assert.NotEqual("", here);
        Assert.Equal(here, there);
    }

    [Fact]
    public void Converts_with_the_destination_by_its_place()
    {
        Ok($"Convert-Qcow2Image -Uri {Url()} copy.qcow2 -Compress");
        Assert.Equal("True", Assert.Single(Ok("Compare-Qcow2Image copy.qcow2 snapshots.qcow2 -Quiet").Output).ToString());
        Ok($"Convert-Qcow2Image -Uri {Url()}, {Url()} twice.raw -Concatenate");
        Assert.Equal(2 * Assert.Single(Ok("Get-Qcow2Image snapshots.qcow2").Of<Qcow2ImageInfo>()).Size, new FileInfo(_session.File("twice.raw")).Length);
    }

    [Fact]
    public void Opens_nothing_that_an_image_names()
    {
        _server.Content = File.ReadAllBytes(Fixtures.Get(Overlay).Path);
        Qcow2ImageInfo image = Assert.Single(Ok($"Get-Qcow2Image -Uri {Url()}").Of<Qcow2ImageInfo>());
        Assert.Null(image.ParentPath);
        Assert.NotNull(image.BackingFile);
        Assert.StartsWith("ReferenceForbidden,", Fails($"Convert-Qcow2Image -Uri {Url()} out.raw").FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.False(File.Exists(_session.File("out.raw")));
        SessionResult chain = _session.Run(Direct($"Get-Qcow2Image -Uri {Url()} -BackingChain"));
        Assert.Equal("ReferenceForbidden", Assert.Single(chain.ErrorIds));
        Assert.NotNull(Assert.Single(chain.Of<Qcow2ImageInfo>()).BackingFileProblem);
    }

    [Fact]
    public void Names_the_parameter_that_downloads_and_leaves_nothing_of_it()
    {
        _server.Answer = (request, _) => _server.Honest(request with { Headers = new Dictionary<string, string>() });
        ErrorRecord error = Fails($"Convert-Qcow2Image -Uri {Url()} out.raw");
        Assert.StartsWith("RangesNotSupported,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("-AllowDownload", error.Exception.Message, StringComparison.Ordinal);
        string[] before = Directory.GetFileSystemEntries(_session.Folder.Path);
        SessionResult result = Ok($"Convert-Qcow2Image -Uri {Url()} out.raw -AllowDownload -Verbose");
        Assert.Contains(result.Verbose, line => line.Contains(" were downloaded.", StringComparison.Ordinal));
        Assert.Equal(before.Append(_session.File("out.raw")).Order(), Directory.GetFileSystemEntries(_session.Folder.Path).Order());
        Assert.Equal("True", Assert.Single(Ok("Compare-Qcow2Image out.raw snapshots.qcow2 -Quiet").Output).ToString());
    }

    [Fact]
    public void Makes_nothing_of_a_file_with_another_hash()
    {
        string hash = Convert.ToHexString(SHA512.HashData(_server.Content));
        Ok($"Convert-Qcow2Image -Uri {Url()} right.raw -ExpectedHash sha512:{hash}");
        ErrorRecord error = Fails($"Convert-Qcow2Image -Uri {Url()} wrong.raw -ExpectedHash {hash.Replace(hash[0], hash[0] == '0' ? '1' : '0')}");
        Assert.StartsWith("HashMismatch,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.True(File.Exists(_session.File("right.raw")));
        Assert.False(File.Exists(_session.File("wrong.raw")));
    }

    [Theory]
    [InlineData("Get-Qcow2Image -Uri URL -ReferencePolicy Follow", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -ConfineTo .", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -Token (ConvertTo-SecureString x -AsPlainText -Force)", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -Authentication Bearer", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -Authentication Bearer -Token (ConvertTo-SecureString x -AsPlainText -Force)", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -UseDefaultCredentials", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -Headers @{ authorization = 1 }", "ParameterConflict")]
    [InlineData("[pscustomobject] @{ Uri = 'URL' } | Get-Qcow2Image -Headers @{ authorization = 1 }", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -NoProxy -Proxy http://proxy", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -ProxyUseDefaultCredentials", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -ExpectedHash 12", "ParameterConflict")]
    [InlineData("Get-Qcow2Image -Uri URL -Headers @{ Range = 'bytes=0-1' }", "OptionsContradict")]
    [InlineData("Convert-Qcow2Image -Uri URL x.raw -DeleteSource", "ParameterConflict")]
    [InlineData("Convert-Qcow2Image -Uri URL, URL x.raw", "DestinationNotUnique")]
    [InlineData("Get-Qcow2Image -Uri ftp://host/disk.img", "UriInvalid")]
    [InlineData("Get-Qcow2Image -Uri disk.img", "UriInvalid")]
    [InlineData("Get-Qcow2Image -Uri https://me:word@host/disk.img", "UriInvalid")]
    [InlineData("Get-Qcow2Image -Path URL", "DriveNotFound")]
    [InlineData("Get-Qcow2Image -LiteralPath URL", "DriveNotFound")]
    [InlineData("Get-Qcow2Image URL", "DriveNotFound")]
    [InlineData("Get-Qcow2Image -Uri URL | Convert-Qcow2Image -DestinationPath x.raw", "ImageOnOtherComputer")]
    [InlineData("Get-Qcow2Image -Uri URL | Select-Object * | Test-Qcow2Image", "ImageOnOtherComputer")]
    [InlineData("Get-Qcow2Image -Uri URL/?none", "HttpRequestFailed")]
    public void Has_a_stable_id(string script, string id)
    {
        _server.Answer = (request, reply) => request.Target.EndsWith("none", StringComparison.Ordinal) ? new HttpTestReply { Status = "404 Not Found" } : reply;
        ErrorRecord error = Fails(script.Replace("URL", _server.Address().ToString(), StringComparison.Ordinal));
        Assert.Equal(id, error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.NotEqual(ErrorCategory.NotSpecified, error.CategoryInfo.Category);
        Assert.DoesNotContain("word", error.Exception.Message.Replace("passwords", "", StringComparison.OrdinalIgnoreCase).Replace("password", "", StringComparison.Ordinal), StringComparison.Ordinal);
        if (id is "DriveNotFound" or "ImageOnOtherComputer")
        {
            Assert.Contains("-Uri", error.Exception.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Says_who_asks_where_it_may()
    {
        Ok($"Get-Qcow2Image -Uri {Url()} -Authentication Bearer -Token (ConvertTo-SecureString tok -AsPlainText -Force) -AllowUnencryptedAuthentication -Headers @{{ 'X-Key' = 7 }} -UserAgent me");
        IReadOnlyDictionary<string, string> asked = _server.Requests.First().Headers;
        Assert.Equal(("Bearer tok", "7", "me"), (asked["authorization"], asked["x-key"], asked["user-agent"]));
        Ok($"Get-Qcow2Image -Uri {Url()} -Authentication Basic -Credential ([pscredential]::new('me', (ConvertTo-SecureString word -AsPlainText -Force))) -AllowUnencryptedAuthentication");
        Assert.Equal("Basic bWU6d29yZA==", _server.Requests.Last().Headers["authorization"]);
    }

    [Fact]
    public void One_bad_address_among_many_is_one_error()
    {
        _server.Answer = (request, reply) => request.Target == "/no.img" ? new HttpTestReply { Status = "404 Not Found" } : reply;
        SessionResult result = _session.Run(Direct($"Get-Qcow2Image -Uri {Url()}, {Url("/no.img")}, ftp://x/y, {Url()}"));
        Assert.Equal(["HttpRequestFailed", "UriInvalid"], result.ErrorIds.Order());
        Assert.Equal(2, result.Output.Count);
    }

    [Theory]
    [InlineData("Get-Qcow2Image -Uri URL")]
    [InlineData("Convert-Qcow2Image -Uri URL out.raw")]
    public async Task Is_stopped_while_it_waits_for_a_server(string script)
    {
        _server.Answer = (request, reply) =>
        {
            reply.Delay = TimeSpan.FromSeconds(request.Number > (script.StartsWith("Get", StringComparison.Ordinal) ? 0 : 1) ? 120 : 0);
            return reply;
        };
        using PowerShellPipeline shell = _session.Start(Direct(script.Replace("URL", _server.Address().ToString(), StringComparison.Ordinal)));
        Task<PSDataCollection<PSObject>> running = shell.InvokeAsync();
        while (!_server.Requests.Any(request => request.Number > (script.StartsWith("Get", StringComparison.Ordinal) ? 0 : 1)))
        {
            await Task.Delay(10);
        }

        shell.StopAtOnce();
        await Assert.ThrowsAnyAsync<PipelineStoppedException>(() => running);
        Assert.False(File.Exists(_session.File("out.raw")));
    }

    [QemuFact]
    public void Serves_an_image_on_a_server_over_NBD()
    {
        string uri = Assert.Single(Ok($"(Start-Qcow2NbdServer -Uri {Url()} -Port 0 -Name web).Uri").Output).ToString();
        try
        {
            QemuImg.Run("convert", "-f", "raw", "-O", "raw", uri, _session.File("nbd.raw"));
        }
        finally
        {
            Ok("Stop-Qcow2NbdServer web");
        }

        Ok("Convert-Qcow2Image snapshots.qcow2 here.raw");
        Assert.Equal(File.ReadAllBytes(_session.File("here.raw")), File.ReadAllBytes(_session.File("nbd.raw")));
        Assert.StartsWith("OperationNotSupported,", Fails($"Start-Qcow2NbdServer -Uri {Url()} -Port 0 -Writable").FullyQualifiedErrorId, StringComparison.Ordinal);
    }
}
