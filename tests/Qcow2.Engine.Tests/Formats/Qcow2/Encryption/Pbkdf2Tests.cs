using System.Diagnostics;
using System.Text;
using Qcow2.Engine.Formats.Qcow2.Encryption;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class Pbkdf2Tests
{
    /// <summary>The inputs are those of RFC 6070; the results for other hashes than SHA-1 come from Python's hashlib.</summary>
    public static TheoryData<string, string, string, int, string> Vectors => new()
    {
        {
            "sha1", "password", "salt", 1,
            "0c60c80f961f0e71f3a9b524af6012062fe037a6"
        },
        {
            "sha1", "password", "salt", 4096,
            "4b007901b765489abead49d926f721d065a429c1"
        },
        {
            "sha1", "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
            "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038b6b89a48612c5a25284e6605e123296ec60ddb0cc22fb85e81" +
            "dbde1e397d82fefe8c5c5b7fb1f93ff03beb5d7a49aab3f4da96922488bd27e6c3de2349f390d1f945d919e4920f54337fea"
        },
        {
            "sha1", "pass\0word", "sa\0lt", 4096,
            "56fa6aa75548099dcc37d7f03425e0c3"
        },
        {
            "sha1", "", "salt", 2,
            "133a4ce837b4d2521ee2bf03e11c71ca794e079713b87cd23f360bdda2e8787224c98aa7eaac481dedd4fd7b71ba55367d1d" +
            "0ea6f7824a02de82e390417a273f"
        },
        {
            "sha256", "password", "salt", 1,
            "120fb6cffcf8b32c43e7225256c4f837a86548c9"
        },
        {
            "sha256", "password", "salt", 4096,
            "c5e478d59288c841aa530db6845c4c8d962893a0"
        },
        {
            "sha256", "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
            "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e94561f2686056e5fcd398" +
            "9bf8960bb2a36c90340586c4faca44d5627a75ce351154b9ff85e6f1950073b04e662b211e3b88841e20c8060dc2e78b4ae0"
        },
        {
            "sha256", "pass\0word", "sa\0lt", 4096,
            "89b69d0516f829893c696226650a8687"
        },
        {
            "sha256", "", "salt", 2,
            "62384466264daadc4144018c6bd864648272b34da8980d31521ffcce92ae003bbf34cc19ec05e2408afd8c5fcdd3ba53b10b" +
            "dff27d3956670f49e2b7d4b7755b"
        },
        {
            "sha384", "password", "salt", 1,
            "c0e14f06e49e32d73f9f52ddf1d0c5c719160923"
        },
        {
            "sha384", "password", "salt", 4096,
            "559726be38db125bc85ed7895f6e3cf574c7a01c"
        },
        {
            "sha384", "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
            "819143ad66df9a552559b9e131c52ae6c5c1b0eed18f4d283b8c5c9eaeb92b392c147cc2d2869d58ffe2f7da13d15f8d9257" +
            "21f0ed1afafa24480d55cf6060b17f112a3de74cae25fdf3569e247f29e4dbb84421847822ea99bd20283c3a25a60d3db95a"
        },
        {
            "sha384", "pass\0word", "sa\0lt", 4096,
            "a3f00ac8657e095f8e0823d232fc60b3"
        },
        {
            "sha384", "", "salt", 2,
            "a34ba6857eee44bd41b06d30e2521564ec2116a3010aad3080f35d0dde7b5c86f442441af6f8b69a8d82f96631e21846b020" +
            "9908fac10363a6558ca46f82bee3"
        },
        {
            "sha512", "password", "salt", 1,
            "867f70cf1ade02cff3752599a3a53dc4af34c7a6"
        },
        {
            "sha512", "password", "salt", 4096,
            "d197b1b33db0143e018b12f3d1d1479e6cdebdcc"
        },
        {
            "sha512", "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
            "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71115b59f9e60cd9532fa33e0f75aefe30225c" +
            "583a186cd82bd4daea9724a3d3b804f75bdd41494fa324cab24bcc680fb3b96a30cf5d21fac3c2875913919f3399b1d9ce7e"
        },
        {
            "sha512", "pass\0word", "sa\0lt", 4096,
            "9d9e9c4cd21fe4be24d5b8244c759665"
        },
        {
            "sha512", "", "salt", 2,
            "cc5eacbb057f2a5982fce67bf70f79fccf4adf285f5cbae1a5a1c5df012a630a5cd035da88803f2a8b7ad7d3118025e9d848" +
            "280b733c39c57a76d3fa895f244c"
        },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Vectors_of_the_platform(string hash, string password, string salt, int iterations, string key)
        => Assert.Equal(key, Derive(Pbkdf2.Derive, hash, password, salt, iterations, key.Length / 2));

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Vectors_of_the_fallback(string hash, string password, string salt, int iterations, string key)
        => Assert.Equal(key, Derive(HmacPbkdf2.Derive, hash, password, salt, iterations, key.Length / 2));

    [Fact]
    public void Work_on_a_thread_has_the_same_result()
    {
        using var never = new CancellationTokenSource();

        Assert.Equal(
            Derive(Pbkdf2.Derive, "sha256", "password", "salt", 70_000, 64),
            Derive(Pbkdf2.Derive, "sha256", "password", "salt", 70_000, 64, never.Token));
    }

    [Theory]
    [InlineData(16_000_000)] // the most that may go on unseen
    [InlineData(2_000_000_000)]
    public void Cancelling_is_heeded_soon(int iterations)
    {
        var watch = Stopwatch.StartNew();
        using var soon = new CancelledSoon();

        Assert.ThrowsAny<OperationCanceledException>(() => Derive(Pbkdf2.Derive, "sha512", "password", "salt", iterations, 64, soon.Token));

        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void A_token_that_is_cancelled_already_prevents_any_work()
        => Assert.ThrowsAny<OperationCanceledException>(
            () => Derive(Pbkdf2.Derive, "sha1", "password", "salt", 1, 20, new CancellationToken(canceled: true)));

    private static string Derive(
        Derivation derivation, string hash, string password, string salt, int iterations, int length, CancellationToken token = default)
    {
        byte[] key = new byte[length];
        derivation(LuksHash.Resolve(hash, "test"), Encoding.UTF8.GetBytes(password), Encoding.UTF8.GetBytes(salt), iterations, key, token);
        return Convert.ToHexStringLower(key);
    }

    private delegate void Derivation(
        LuksHash hash, ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int iterations, Span<byte> key, CancellationToken token);
}
