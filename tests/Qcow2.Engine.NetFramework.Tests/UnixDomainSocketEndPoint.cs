using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Qcow2;

/// <summary>A socket's name in a folder; .NET has this class, .NET Framework has none.</summary>
internal sealed class UnixDomainSocketEndPoint(string path) : EndPoint
{
    public override AddressFamily AddressFamily => AddressFamily.Unix;

    public override SocketAddress Serialize()
    {
        byte[] name = Encoding.UTF8.GetBytes(path + "\0");
        var address = new SocketAddress(AddressFamily.Unix, 2 + name.Length);
        for (int i = 0; i < name.Length; i++)
        {
            address[2 + i] = name[i];
        }

        return address;
    }
}
