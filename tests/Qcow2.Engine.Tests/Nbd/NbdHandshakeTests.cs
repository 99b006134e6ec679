using System.Net.Sockets;
using System.Text;
using Qcow2.Engine.Nbd;
using static Qcow2.Engine.Tests.Nbd.NbdTestClient;

namespace Qcow2.Engine.Tests.Nbd;

/// <summary>The negotiation, byte by byte (NBD protocol, "Handshake phase").</summary>
public sealed class NbdHandshakeTests : IDisposable
{
    private const string Flags = "010f"; // HAS_FLAGS, READ_ONLY, SEND_FLUSH, SEND_FUA, CAN_MULTI_CONN
    private const string FlagsWithDf = "018f";
    private const string Size = "0000000000100000";

    private readonly NbdTestServer _server = new(NbdTestServer.Raw(1 << 20, out _), name: "disk", bitmaps: new NbdBitmap("b1", [new DiskRange(65536, 65536)]));

    public static TheoryData<string, string, string> Options => new()
    {
        // What it is, what the client sends after its flags, what the server answers.
        { "list", $"{OptionMagic} 00000003 00000000", $"{ReplyMagic} 00000003 00000002 00000008 00000004 6469736b {ReplyMagic} 00000003 00000001 00000000" },
        { "list with data", $"{OptionMagic} 00000003 00000001 ff", $"{ReplyMagic} 00000003 80000003 00000000" },
        { "abort", $"{OptionMagic} 00000002 00000000", $"{ReplyMagic} 00000002 00000001 00000000 END" },
        { "abort with data", $"{OptionMagic} 00000002 00000002 abcd", $"{ReplyMagic} 00000002 00000001 00000000 END" },
        { "unknown", $"{OptionMagic} 000003e7 00000003 010203", $"{ReplyMagic} 000003e7 80000001 00000000" },
        { "STARTTLS", $"{OptionMagic} 00000005 00000000", $"{ReplyMagic} 00000005 80000002 00000000" },
        { "structured reply", $"{OptionMagic} 00000008 00000000", $"{ReplyMagic} 00000008 00000001 00000000" },
        { "structured reply with data", $"{OptionMagic} 00000008 00000001 00", $"{ReplyMagic} 00000008 80000003 00000000" },
        { "extended headers", $"{OptionMagic} 0000000b 00000000", $"{ReplyMagic} 0000000b 80000001 00000000" },
        { "info of the default", $"{OptionMagic} 00000006 00000006 00000000 0000", $"{ReplyMagic} 00000006 00000003 0000000c 0000 {Size} {Flags} {ReplyMagic} 00000006 00000001 00000000" },
        {
            "info by name, all that there is, and twice",
            $"{OptionMagic} 00000006 00000014 00000004 6469736b 0005 0001 0003 0002 0001 0077",
            $"{ReplyMagic} 00000006 00000003 0000000c 0000 {Size} {Flags} {ReplyMagic} 00000006 00000003 00000006 0001 6469736b"
            + $"{ReplyMagic} 00000006 00000003 0000000e 0003 00000001 00001000 02000000 {ReplyMagic} 00000006 00000001 00000000"
        },
        { "info of another", $"{OptionMagic} 00000006 00000007 00000001 78 0000", $"{ReplyMagic} 00000006 80000006 00000000" },
        { "info of what is no text", $"{OptionMagic} 00000006 00000007 00000001 ff 0000", $"{ReplyMagic} 00000006 80000006 00000000" },
        { "info, a name past the end", $"{OptionMagic} 00000006 00000006 00000005 0000", $"{ReplyMagic} 00000006 80000003 00000000" },
        { "info, a name of 4 GiB", $"{OptionMagic} 00000006 00000006 ffffffff 0000", $"{ReplyMagic} 00000006 80000003 00000000" },
        { "info, more requests than said", $"{OptionMagic} 00000006 00000008 00000000 0000 0003", $"{ReplyMagic} 00000006 80000003 00000000" },
        { "info, fewer requests than said", $"{OptionMagic} 00000006 00000008 00000000 0002 0003", $"{ReplyMagic} 00000006 80000003 00000000" },
        { "info, nothing", $"{OptionMagic} 00000006 00000000", $"{ReplyMagic} 00000006 80000003 00000000" },
        { "go", $"{OptionMagic} 00000007 00000006 00000000 0000", $"{ReplyMagic} 00000007 00000003 0000000c 0000 {Size} {Flags} {ReplyMagic} 00000007 00000001 00000000" },
        { "go to another", $"{OptionMagic} 00000007 00000007 00000001 78 0000", $"{ReplyMagic} 00000007 80000006 00000000" },
        { "export name", $"{OptionMagic} 00000001 00000004 6469736b", $"{Size} {Flags}" },
        { "export name of another", $"{OptionMagic} 00000001 00000001 78", "END" },
        { "contexts before structured replies", $"{OptionMagic} 00000009 00000008 00000000 00000000", $"{ReplyMagic} 00000009 80000003 00000000" },
        { "no magic", "0102030405060708 00000003 00000000", "END" },
        { "32 MiB for an export's name", $"{OptionMagic} 00000001 02000000", "END" },
        { "4 GiB of an option", $"{OptionMagic} 00000003 ffffffff", "END" },
    };

    [Theory]
    [MemberData(nameof(Options))]
    public void An_option_is_answered(string what, string sent, string answer)
    {
        using NbdTestClient client = Greeted("00000003");
        client.Send(sent);
        client.Expect(answer.Replace("END", "", StringComparison.Ordinal));
        if (answer.EndsWith("END", StringComparison.Ordinal))
        {
            client.ExpectEnd();
        }

        Assert.NotEmpty(what);
    }

    [Fact]
    public void Contexts_are_listed_and_selected()
    {
        using NbdTestClient client = Greeted("00000003");
        client.Send($"{OptionMagic} 00000008 00000000");
        client.Expect($"{ReplyMagic} 00000008 00000001 00000000");

        Assert.Equal(["base:allocation", "qemu:allocation-depth", "qemu:dirty-bitmap:b1"], Contexts(client, 9, "disk"));
        Assert.Equal(["base:allocation"], Contexts(client, 9, "", "base:"));
        Assert.Equal(["qemu:allocation-depth", "qemu:dirty-bitmap:b1"], Contexts(client, 9, "", "qemu:"));
        Assert.Equal(["qemu:dirty-bitmap:b1"], Contexts(client, 9, "", "qemu:dirty-bitmap:"));
        Assert.Equal([], Contexts(client, 9, "", "x-other:", "nonsense", ""));
        Assert.Equal(["base:allocation", "qemu:dirty-bitmap:b1"], Contexts(client, 10, "", "base:allocation", "qemu:dirty-bitmap:b1", "qemu:dirty-bitmap:", "base:"));
        Assert.Equal([], Contexts(client, 10, "", "base:", "qemu:"));
        Assert.Equal([], Contexts(client, 10, ""));

        client.Send($"{OptionMagic} 00000009 00000009 00000001 78 00000000");
        client.Expect($"{ReplyMagic} 00000009 80000006 00000000");
        foreach (string lie in (string[])["00000000 00000001", "00000000 00000001 00000005 62", "00000000 00000000 00", "00000000 ffffffff", "ffffffff 00000000"])
        {
            client.Send($"{OptionMagic} 0000000a {Bytes(lie).Length:x8} {lie}");
            client.Expect($"{ReplyMagic} 0000000a 80000003 00000000");
        }
    }

    /// <summary>The padding is sent to a client that did not say that it can do without, and only by the old way in.</summary>
    [Fact]
    public void Padding_is_for_old_clients()
    {
        using NbdTestClient old = Greeted("00000001");
        old.Send($"{OptionMagic} 00000001 00000000");
        old.Expect($"{Size} {Flags} {new string('0', 248)}");
        old.Send("25609513 0000 0003 0000000000000001 0000000000000000 00000000");
        old.Expect("67446698 00000000 0000000000000001");

        using NbdTestClient other = Greeted("00000001");
        other.Send($"{OptionMagic} 00000007 00000006 00000000 0000");
        other.Expect($"{ReplyMagic} 00000007 00000003 0000000c 0000 {Size} {Flags} {ReplyMagic} 00000007 00000001 00000000");
        other.Send("25609513 0000 0003 0000000000000001 0000000000000000 00000000");
        other.Expect("67446698 00000000 0000000000000001");
    }

    [Fact]
    public void With_structured_replies_reads_can_be_whole()
    {
        using NbdTestClient client = Greeted("00000003");
        client.Send($"{OptionMagic} 00000008 00000000");
        client.Expect($"{ReplyMagic} 00000008 00000001 00000000");
        client.Send($"{OptionMagic} 00000001 00000000");
        client.Expect($"{Size} {FlagsWithDf}");
    }

    [Theory]
    [InlineData("00000004")]
    [InlineData("ffffffff")]
    public void Unknown_flags_end_it(string flags)
    {
        using NbdTestClient client = Greeted(flags);
        client.ExpectEnd();
    }

    /// <summary>What is too long to be looked at is passed over, and the next option is understood.</summary>
    [Fact]
    public void A_long_option_is_too_big()
    {
        using NbdTestClient client = Greeted("00000003");
        client.Send($"{OptionMagic} 00000009 00100000");
        client.Send(new byte[1 << 20]);
        client.Expect($"{ReplyMagic} 00000009 80000009 00000000");
        client.Send($"{OptionMagic} 00000002 00000000");
        client.Expect($"{ReplyMagic} 00000002 00000001 00000000");
    }

    [Fact]
    public void A_flood_of_options_ends()
    {
        using NbdTestClient client = Greeted("00000003");
        int answered = 0;
        try
        {
            for (; answered < 10_000; answered++)
            {
                client.Send($"{OptionMagic} 000003e7 00000000");
                client.Expect($"{ReplyMagic} 000003e7 80000001 00000000");
            }
        }
        catch (Exception e) when (e is EndOfStreamException or SocketException)
        {
        }

        Assert.Equal(NbdHandshake.MaxOptions, answered);
    }

    private NbdTestClient Greeted(string flags)
    {
        var client = new NbdTestClient(_server.Listener);
        client.Expect(Greeting);
        client.Send(flags);
        return client;
    }

    private static List<string> Contexts(NbdTestClient client, int option, string export, params string[] queries)
    {
        string text = Text(export) + $"{queries.Length:x8}" + string.Concat(queries.Select(Text));
        client.Send($"{OptionMagic} {option:x8} {text.Length / 2:x8} {text}");
        var names = new List<string>();
        var ids = new HashSet<string>();
        while (true)
        {
            (uint type, byte[] data) = client.ReceiveOptionReply();
            if (type == 1)
            {
                return names;
            }

            Assert.Equal(4u, type);
            Assert.True(option == 9 || ids.Add(Convert.ToHexString(data[..4])));
            names.Add(Encoding.UTF8.GetString(data[4..]));
        }
    }

    private static string Text(string text) => $"{text.Length:x8}{Convert.ToHexString(Encoding.UTF8.GetBytes(text))}";

    public void Dispose() => _server.Dispose();
}
