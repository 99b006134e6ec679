using System.Security;
using System.Text;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class PassphraseTests
{
    [Theory]
    [InlineData("")]
    [InlineData("letmein")]
    [InlineData("Größe €5 😀")]
    public void Every_factory_gives_the_same_UTF8(string text)
    {
        using var secure = new SecureString();
        foreach (char c in text)
        {
            secure.AppendChar(c);
        }

        using var fromString = Passphrase.FromString(text);
        using var fromUtf8 = Passphrase.FromUtf8(Encoding.UTF8.GetBytes(text));
        using var fromSecureString = Passphrase.FromSecureString(secure);

        Assert.Equal(Encoding.UTF8.GetBytes(text), fromString.Utf8.ToArray());
        Assert.Equal(Encoding.UTF8.GetBytes(text), fromUtf8.Utf8.ToArray());
        Assert.Equal(Encoding.UTF8.GetBytes(text), fromSecureString.Utf8.ToArray());
    }

    [Fact]
    public void Text_never_shows_it()
    {
        using var passphrase = Passphrase.FromString("letmein");

        Assert.DoesNotContain("letmein", passphrase.ToString());
        Assert.DoesNotContain("letmein", $"{passphrase}");
    }

    [Fact]
    public void Dispose_zeroes_it_and_ends_its_use()
    {
        var passphrase = Passphrase.FromString("letmein");
        ReadOnlySpan<byte> utf8 = passphrase.Utf8;

        passphrase.Dispose();
        passphrase.Dispose();

        Assert.Equal(new byte[7], utf8.ToArray());
        Assert.Throws<ObjectDisposedException>(() => passphrase.Utf8.Length);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_refused_without_quoting_it()
    {
        var error = Assert.Throws<ArgumentException>(() => Passphrase.FromString("let\uD83D"));

        Assert.Null(error.InnerException);
        Assert.DoesNotContain("D83D", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Null_is_refused()
    {
        Assert.Throws<ArgumentNullException>(() => Passphrase.FromString(null!));
        Assert.Throws<ArgumentNullException>(() => Passphrase.FromSecureString(null!));
    }
}
