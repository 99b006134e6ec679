using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>What must not be opened is refused with the code, and a message that names the file.</summary>
public class FixtureRefusalTests
{
    [Theory]
    [MemberData(nameof(Fixtures.Refused), MemberType = typeof(Fixtures))]
    public void Unusable_image_is_refused(string name)
    {
        Fixture fixture = Fixtures.Get(name);

        var open = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(fixture.Path).Dispose());
        var information = Assert.Throws<Qcow2Exception>(() => Qcow2ImageInfo.Read(fixture.Path));

        Assert.Equal(fixture.Error, open.Code.ToString());
        Assert.Equal(fixture.Error, information.Code.ToString());
        Assert.StartsWith(fixture.Path, open.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Fixtures.ReferenceRefused), MemberType = typeof(Fixtures))]
    public void Unusable_reference_is_refused_but_the_image_is_described(string name)
    {
        Fixture fixture = Fixtures.Get(name);

        var open = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(fixture.Path).Dispose());

        Assert.Equal(fixture.ReferenceError, open.Code.ToString());
        Assert.Equal(fixture.Path, Qcow2ImageInfo.Read(fixture.Path).Path);
    }

    [Fact]
    public void Unknown_feature_is_called_by_its_name()
    {
        var named = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(Fixtures.Get("bit-incompatible-named").Path));
        var unnamed = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(Fixtures.Get("bit-incompatible-unnamed").Path));

        Assert.Matches("'[^']+' \\(bit \\d+\\)", named.Message);
        Assert.Matches("know: bit \\d+", unnamed.Message);
    }

    [Theory]
    [InlineData("luks")]
    [InlineData("aes")]
    public void Encrypted_image_without_passphrase_shows_its_metadata_but_not_its_data(string name)
    {
        using Qcow2Image image = Qcow2Image.Open(Fixtures.Get(name).Path);
        DiskExtent data = image.GetExtents().First(extent => extent.Kind == ExtentKind.Data);

        var error = Assert.Throws<Qcow2Exception>(() => image.Read(data.Offset, new byte[512]));

        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, error.Code);
    }

    [Fact]
    public void Trying_a_passphrase_can_be_stopped()
    {
        using Passphrase passphrase = Passphrase.FromString("any");
        var options = new Qcow2OpenOptions { Passphrase = passphrase };

        Assert.ThrowsAny<OperationCanceledException>(() => Qcow2Image.Open(Fixtures.Get("luks").Path, options, new CancellationToken(canceled: true)));
    }

    [Fact]
    public void Wrong_passphrase_is_refused()
    {
        var error = Assert.Throws<Qcow2Exception>(() => Fixtures.Get("luks").Open("not the passphrase"));

        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, error.Code);
    }
}
