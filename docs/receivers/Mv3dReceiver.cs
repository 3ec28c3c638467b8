// Unity: a sphere for every joint of every person, moved by the messages of `mv3d live --udp 127.0.0.1:9000`.
// Put it on an empty object. Needs the package com.unity.nuget.newtonsoft-json; docs/live.md describes the messages.
using System.Collections.Generic;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Newtonsoft.Json.Linq;
using UnityEngine;

public class Mv3dReceiver : MonoBehaviour
{
    public int port = 9000;
    private UdpClient client;
    private readonly Dictionary<string, GameObject> joints = new Dictionary<string, GameObject>();

    private void OnEnable() { client = new UdpClient(new IPEndPoint(IPAddress.Loopback, port)); }

    private void OnDisable() { client.Close(); }

    private void Update()
    {
        byte[] newest = null;
        var from = new IPEndPoint(IPAddress.Any, 0);
        while (client.Available > 0) { newest = client.Receive(ref from); }
        if (newest != null) { Show(JObject.Parse(Encoding.UTF8.GetString(newest))); }
    }

    private void Show(JObject message)
    {
        foreach (GameObject joint in joints.Values) { joint.SetActive(false); }
        foreach (JObject person in (JArray)message["people"])
        {
            foreach (KeyValuePair<string, JToken> entry in (JObject)person["joints"])
            {
                GameObject joint = Joint("person" + person["id"] + "_" + entry.Key);
                JToken at = entry.Value;
                // mv3d: right-handed, z up. Unity: left-handed, y up.
                joint.transform.localPosition = new Vector3((float)at[0], (float)at[2], (float)at[1]);
                joint.SetActive(true);
            }
        }
    }

    private GameObject Joint(string name)
    {
        if (!joints.ContainsKey(name))
        {
            GameObject made = GameObject.CreatePrimitive(PrimitiveType.Sphere);
            made.name = name;
            made.transform.SetParent(transform, false);
            made.transform.localScale = 0.06f * Vector3.one;
            joints[name] = made;
        }
        return joints[name];
    }
}
