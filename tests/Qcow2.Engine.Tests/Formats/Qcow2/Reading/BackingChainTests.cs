using Qcow2.Engine.Disks.References;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>How an image finds the files it refers to, and when it must not.</summary>
public sealed class BackingChainTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Chain_is_listed_from_the_top_down()
    {
        string path = Fixtures.Get("chain-top").Path;

        List<Qcow2ImageInfo> chain = [.. Qcow2ImageInfo.ReadChain(path)];

        Assert.Equal(["chain-top.qcow2", "chain-middle.qcow2", "chain-base.qcow2"], chain.Select(info => Path.GetFileName(info.Path)));
        Assert.Equal([0, 1, 2], chain.Select(info => info.Depth));
        Assert.Equal(chain[1].Path, chain[0].ParentPath);
        Assert.Null(chain[2].ParentPath);
    }

    [Fact]
    public void Raw_base_is_listed_as_raw()
    {
        Qcow2ImageInfo[] chain = [.. Qcow2ImageInfo.ReadChain(Fixtures.Get("backing-raw").Path)];

        Assert.Equal(("raw", 1, null, null), (chain[1].Format, chain[1].Depth, chain[1].Version, chain[1].Header));
        Assert.Equal(new FileInfo(chain[1].Path).Length, chain[1].Size);
    }

    [Fact]
    public void What_lies_above_a_missing_base_is_listed_all_the_same()
    {
        using IEnumerator<Qcow2ImageInfo> chain = Qcow2ImageInfo.ReadChain(Fixtures.Get("backing-missing").Path).GetEnumerator();

        Assert.True(chain.MoveNext());
        Assert.NotNull(chain.Current.ParentPath);
        var error = Assert.Throws<Qcow2Exception>(() => chain.MoveNext());
        Assert.Equal(Qcow2ErrorCode.BackingFileUnavailable, error.Code);
        Assert.Contains("does not exist", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_format_is_never_guessed_but_taken_from_the_caller()
    {
        Fixture fixture = Fixtures.Get("backing-no-format");

        var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(fixture.Path));
        using Qcow2Image told = Qcow2Image.Open(fixture.Path, new Qcow2OpenOptions { BackingFormat = "qcow2" });

        Assert.Equal(Qcow2ErrorCode.BackingFormatMissing, error.Code);
        Assert.Contains("does not record the format of its backing file", error.Message, StringComparison.Ordinal);
        Assert.IsType<Qcow2Image>(told.Backing);
    }

    [Fact]
    public void Raw_base_with_a_planted_header_stays_raw()
    {
        File.Copy(Fixtures.Get("backing-raw").Path, _folder.File("backing-raw.qcow2"));
        string baseName = Qcow2ImageInfo.Read(_folder.File("backing-raw.qcow2")).BackingFile!;
        byte[] planted = File.ReadAllBytes(Fixtures.Get("backing-nbd").Path);
        File.WriteAllBytes(_folder.File(baseName), planted);

        using Qcow2Image image = Qcow2Image.Open(_folder.File("backing-raw.qcow2"));
        byte[] content = new byte[planted.Length];
        image.Backing!.Read(0, content);

        Assert.IsType<RawDisk>(image.Backing);
        Assert.Equal(planted, content);
    }

    [Fact]
    public void Loop_is_found_through_links_too()
    {
        File.Copy(Fixtures.Get("backing-loop").Path, _folder.File("a.qcow2"));
        string next = Qcow2ImageInfo.Read(_folder.File("a.qcow2")).BackingFile!;
        File.CreateSymbolicLink(_folder.File(next), _folder.File("a.qcow2"));

        var open = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(_folder.File("a.qcow2")));
        var list = Assert.Throws<Qcow2Exception>(() => Qcow2ImageInfo.ReadChain(_folder.File("a.qcow2")).Count());

        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, open.Code);
        Assert.Equal(Qcow2ErrorCode.BackingChainLoop, list.Code);
    }

    [Theory]
    [InlineData(3, true)]
    [InlineData(2, false)]
    public void Length_of_the_chain_is_bounded(int maxLength, bool opens)
    {
        var options = new Qcow2OpenOptions { MaxChainLength = maxLength };
        string path = Fixtures.Get("chain-top").Path;

        Exception? error = Record.Exception(() => Qcow2Image.Open(path, options).Dispose());

        Assert.Equal(opens ? null : Qcow2ErrorCode.BackingChainTooDeep, (error as Qcow2Exception)?.Code);
    }

    [Theory]
    [InlineData("chain-top")]
    [InlineData("data-file")]
    public void Nothing_is_opened_when_references_are_forbidden(string name)
    {
        var error = Assert.Throws<Qcow2Exception>(
            () => Qcow2Image.Open(Fixtures.Get(name).Path, new Qcow2OpenOptions { References = ReferencePolicy.Forbid }));

        Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, error.Code);
    }

    [Fact]
    public void Confined_references_may_not_leave_the_folder()
    {
        string inside = Directory.CreateDirectory(_folder.File("inside")).FullName;
        File.Copy(Fixtures.Get("backing-raw").Path, Path.Combine(inside, "image.qcow2"));
        string baseName = Qcow2ImageInfo.Read(Path.Combine(inside, "image.qcow2")).BackingFile!;
        var confined = new Qcow2OpenOptions { References = ReferencePolicy.Confine(inside) };

        File.WriteAllBytes(Path.Combine(inside, baseName), new byte[4096]);
        Qcow2Image.Open(Path.Combine(inside, "image.qcow2"), confined).Dispose();

        // A link inside that leads outside.
        File.Move(Path.Combine(inside, baseName), _folder.File("secret"));
        File.CreateSymbolicLink(Path.Combine(inside, baseName), _folder.File("secret"));
        var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(Path.Combine(inside, "image.qcow2"), confined));
        Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, error.Code);

        // Another folder whose name merely begins alike.
        File.Delete(Path.Combine(inside, baseName));
        var sibling = new Qcow2OpenOptions { References = ReferencePolicy.Confine(_folder.File("insi")) };
        Assert.Equal(
            Qcow2ErrorCode.ReferenceForbidden,
            Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(Path.Combine(inside, "image.qcow2"), sibling)).Code);
    }

    [Fact]
    public void Names_outside_are_refused_before_anything_is_opened()
    {
        string inside = Directory.CreateDirectory(_folder.File("sub")).FullName;
        File.Copy(Fixtures.Get("backing-missing").Path, Path.Combine(inside, "image.qcow2"));

        var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(
            Path.Combine(inside, "image.qcow2"), new Qcow2OpenOptions { References = ReferencePolicy.Confine(_folder.File("elsewhere")) }));

        Assert.Equal(Qcow2ErrorCode.ReferenceForbidden, error.Code);
    }

    [Theory]
    [InlineData("base.qcow2", "/images/base.qcow2")]
    [InlineData("../base.qcow2", "/base.qcow2")]
    [InlineData("/other/base.qcow2", "/other/base.qcow2")]
    [InlineData("file:base.qcow2", "/images/base.qcow2")]
    [InlineData("./a:b.qcow2", "/images/a:b.qcow2")]
    [InlineData("nbd://host/export", null)]
    [InlineData("json:{\"driver\":\"raw\"}", null)]
    [InlineData("http:base", null)]
    [InlineData("", null)]
    [InlineData("a\0b", null)]
    public void Names_resolve_against_the_image(string name, string? expected)
    {
        if (OperatingSystem.IsWindows())
        {
            // A colon in a file's name begins the name of a stream there.
            expected = expected is null || expected.Contains(':') ? null : Path.GetFullPath(expected);
        }

        Assert.Equal(expected, ImageReference.TryResolve(name, "/images/overlay.qcow2"));
    }

    [Fact]
    public void External_data_file_can_be_given_by_the_caller()
    {
        Fixture fixture = Fixtures.Get("data-file");
        string elsewhere = _folder.File("moved.raw");
        File.Copy(Path.Combine(Path.GetDirectoryName(fixture.Path)!, Qcow2ImageInfo.Read(fixture.Path).DataFile!), elsewhere);
        File.Copy(fixture.Path, _folder.File("image.qcow2"));

        var missing = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(_folder.File("image.qcow2")));
        using Qcow2Image image = Qcow2Image.Open(_folder.File("image.qcow2"), new Qcow2OpenOptions { DataFile = elsewhere });

        Assert.Equal(Qcow2ErrorCode.DataFileUnavailable, missing.Code);
        Assert.Contains(image.GetExtents(), extent => extent.FilePath == elsewhere);
    }
}
