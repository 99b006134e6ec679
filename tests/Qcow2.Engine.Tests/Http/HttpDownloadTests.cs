using System.Security.Cryptography;
using Qcow2.Engine.Http;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Http;

/// <summary>Whole files, where a server gives no parts or a hash is to be checked.</summary>
public sealed class HttpDownloadTests : IDisposable
{
    private static readonly HttpFileOptions Quick = new() { UseProxy = false, RetryInterval = TimeSpan.FromMilliseconds(1) };

    private readonly TempFolder _folder = new();
    private readonly HttpTestServer _server;
    private readonly byte[] _content = new byte[2_500_000];

    public HttpDownloadTests()
    {
        new Random(9).NextBytes(_content);
        _server = new HttpTestServer(_content);
        Hash = Convert.ToHexString(SHA256.HashData(_content));
    }

    public void Dispose()
    {
        _server.Dispose();
        _folder.Dispose();
    }

    private string Hash { get; }

    /// <summary>A server that knows no ranges.</summary>
    private HttpTestReply Whole(HttpTestRequest request) => _server.Honest(request with { Headers = new Dictionary<string, string>() });

    private HttpSource Open(ExpectedHash? hash = null, HttpFileOptions? options = null) => HttpSource.Open(_server.Address(), options ?? Quick, hash, _folder.Path);

    private void RequireContent(HttpSource source)
    {
        byte[] read = new byte[_content.Length];
        using Engine.Storage.BlockStorage bytes = source.Borrow();
        Assert.Equal(read.Length, bytes.Read(0, read));
        Assert.Equal(_content, read);
        Assert.Equal((_server.Address().ToString(), false), (bytes.Path, bytes.HasLocalPath));
    }

    [Fact]
    public void Reads_in_parts_where_it_can_and_else_as_a_whole()
    {
        using (HttpSource source = Open())
        {
            Assert.False(source.IsDownloaded);
            RequireContent(source);
        }

        _server.Answer = (request, _) => Whole(request);
        Assert.Equal(Qcow2ErrorCode.RangesNotSupported, Assert.Throws<Qcow2Exception>(() => HttpSource.Open(_server.Address(), Quick)).Code);
        using (HttpSource source = Open())
        {
            Assert.True(source.IsDownloaded);
            RequireContent(source);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Is_not_to_be_read_by_others_meanwhile()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // The folder decides there.
        }

        using var file = Engine.Storage.TemporaryFile.Create(_folder.Path);
        file.Storage.Write(0, [1]);
        foreach (string name in Directory.GetFiles(_folder.Path))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(name));
        }
    }

    [Fact]
    public void Begins_a_whole_file_anew_where_it_was_cut()
    {
        _server.Answer = (request, _) => HttpFileTests.Changed(Whole(request), reply => reply.CutAfter = request.Number is 2 or 3 ? 2_000_000 : null);
        using HttpSource source = Open(ExpectedHash.Parse(Hash));
        RequireContent(source);
        Assert.Equal(4, _server.Requests.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Uses_nothing_of_a_file_with_another_hash(bool hasRanges)
    {
        _server.Answer = hasRanges ? null : (request, _) => Whole(request);
        using (HttpSource source = Open(ExpectedHash.Parse(Hash)))
        {
            RequireContent(source);
        }

        _server.Content[1_000_000] ^= 1;
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(ExpectedHash.Parse(Hash)));
        Assert.Equal(Qcow2ErrorCode.HashMismatch, error.Code);
        _server.Content[1_000_000] ^= 1;
        Assert.Contains($"sha256:{Hash.ToLowerInvariant()} was expected", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Takes_chunks_and_no_body_whose_end_nobody_knows()
    {
        _server.Answer = (request, _) => HttpFileTests.Changed(Whole(request), reply => reply.IsChunked = true);
        using (HttpSource source = Open())
        {
            RequireContent(source);
        }

        _server.Answer = (request, _) => HttpFileTests.Changed(Whole(request), reply => (reply.Headers["Content-Length"], reply.Headers["Connection"], reply.CutAfter) = ("", "close", _content.Length));
        Assert.Contains("neither how long the file is nor where it ends", Assert.Throws<Qcow2Exception>(() => Open()).Message, StringComparison.Ordinal);
        using (HttpSource source = Open(ExpectedHash.Parse(Hash)))
        {
            RequireContent(source);
        }
    }

    [Fact]
    public void Says_before_that_a_file_does_not_fit()
    {
        _server.Answer = (request, _) => HttpFileTests.Changed(Whole(request), reply => (reply.Headers["Content-Length"], reply.IsEndless) = ("4611686018427387904", true));
        IOException error = Assert.Throws<IOException>(() => Open());
        Assert.Contains("4611686018427387904 bytes, and ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("12", false)]
    [InlineData("g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false)]
    [InlineData("0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", true)]
    [InlineData(" sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true)]
    [InlineData("SHA-256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true)]
    [InlineData("sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false)]
    [InlineData("md5:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false)]
    public void A_hash_is_of_one_of_two_kinds(string text, bool isOne)
    {
        if (isOne)
        {
            Assert.Equal("sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ExpectedHash.Parse(text).ToString());
        }
        else
        {
            Assert.Throws<FormatException>(() => ExpectedHash.Parse(text));
        }
    }
}
